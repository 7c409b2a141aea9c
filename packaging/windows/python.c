/* python.exe: what python.org's does, which no package of PyPI brings. */

#include <wchar.h>
#include <windows.h>

typedef int (*main_function)(int, wchar_t **);

int wmain(int argc, wchar_t **argv)
{
    HMODULE library = LoadLibraryW(L"python311.dll");
    main_function py_main = library ? (main_function)GetProcAddress(library, "Py_Main") : NULL;

    return py_main ? py_main(argc, argv) : 1;
}
