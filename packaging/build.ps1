<#
.SYNOPSIS
Builds the bundle on Windows, from a clean clone, and runs the end-to-end tests against it.

.EXAMPLE
packaging\build.ps1 -Edition cpu

.EXAMPLE
packaging\build.ps1 -Edition cuda -Model campplus-zh-en, .\my-ecapa -SkipTests

.NOTES
Variables that begin with SIGN_ say what signs the program, if anything; see packaging\README.md.
#>
param(
    [ValidateSet("cpu", "cuda")] [string] $Edition = "cpu",
    [string[]] $Model = @("campplus-zh-en"),
    # PyTorch's own index: PyPI's wheels for Windows have no CUDA.
    [string] $TorchIndex = "https://download.pytorch.org/whl/cu130",
    # The command of the Python that the build's own environment is made with.
    [string[]] $Python = @("py", "-3.12"),
    [switch] $Archive,
    [switch] $Npm,
    [switch] $SkipTests
)

$ErrorActionPreference = "Stop"
# Whole paths, in the folder of the caller: -Model may be relative to it.
$root = Split-Path -Parent $PSScriptRoot
$environment = "$root\build\venv-$Edition"
$interpreter = "$environment\Scripts\python.exe"
$constraints = "$root\packaging\constraints.txt"

function Invoke-Checked {
    # Windows PowerShell does not stop at a program that fails.
    & $args[0] $args[1..($args.Count - 1)]
    if ($LASTEXITCODE -ne 0) { throw "$($args -join ' '): exit code $LASTEXITCODE" }
}

if (-not (Test-Path -LiteralPath $interpreter)) { Invoke-Checked @Python -m venv $environment }
if ($Edition -eq "cuda") {
    # That index has not every release of what torch needs, which comes with the rest.
    Invoke-Checked $interpreter -m pip install --no-deps --constraint $constraints torch --index-url $TorchIndex
}
Invoke-Checked $interpreter -m pip install --constraint $constraints --editable "${root}[build,test]"
$options = @($Model | ForEach-Object { "--model"; $_ })
if ($Archive) { $options += "--archive" }
if ($Npm) { $options += "--npm" }
Invoke-Checked $interpreter "$root\packaging\build.py" --edition $Edition @options

if (-not $SkipTests) {
    $argvBefore = $env:SIDECAR_ARGV
    Push-Location -LiteralPath $root
    try {
        $env:SIDECAR_ARGV = '"' + "$root\dist\speaker-sidecar-$Edition\speaker-sidecar.exe" + '"'
        Invoke-Checked $interpreter -m pytest tests\e2e tests\protocol
    }
    finally {
        Pop-Location
        $env:SIDECAR_ARGV = $argvBefore
    }
}
