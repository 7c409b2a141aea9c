<#
.SYNOPSIS
Builds the bundle on Windows, from a clean clone, and runs the end-to-end tests against it.

.EXAMPLE
packaging\build.ps1 -Edition cpu

.EXAMPLE
packaging\build.ps1 -Edition cuda -Model campplus-zh-en, C:\models\my-ecapa -SkipTests

.NOTES
SIGN_CERTIFICATE (a .pfx file) and SIGN_PASSWORD, if set, sign the program; see packaging\README.md.
#>
param(
    [ValidateSet("cpu", "cuda")] [string] $Edition = "cpu",
    [string[]] $Model = @("campplus-zh-en"),
    # PyTorch's own index: PyPI's wheels for Windows have no CUDA.
    [string] $TorchIndex = "https://download.pytorch.org/whl/cu130",
    [switch] $SkipTests
)

$ErrorActionPreference = "Stop"
Set-Location (Split-Path -Parent $PSScriptRoot)
$environment = "build\venv-$Edition"
$python = "$environment\Scripts\python.exe"

function Invoke-Checked {
    # Windows PowerShell does not stop at a program that fails.
    & $args[0] $args[1..($args.Count - 1)]
    if ($LASTEXITCODE -ne 0) { throw "$($args -join ' '): exit code $LASTEXITCODE" }
}

if (-not (Test-Path $python)) { Invoke-Checked py -3.12 -m venv $environment }
if ($Edition -eq "cuda") {
    Invoke-Checked $python -m pip install "torch>=2.6,<2.15" --index-url $TorchIndex
}
Invoke-Checked $python -m pip install --editable ".[build,test]"
$models = $Model | ForEach-Object { "--model"; $_ }
Invoke-Checked $python packaging\build.py --edition $Edition @models

if (-not $SkipTests) {
    $env:SIDECAR_ARGV = "dist\speaker-sidecar-$Edition\speaker-sidecar.exe" | Resolve-Path
    $env:SIDECAR_ARGV = '"' + $env:SIDECAR_ARGV + '"'
    Invoke-Checked $python -m pytest tests\e2e
}
