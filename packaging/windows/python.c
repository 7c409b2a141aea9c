/* python.exe: what python.org's does, which no package of PyPI brings. */

#include <wchar.h>
#include <windows.h>

#define CONSOLE_PROGRAM 1 /* _crt_console_app of corecrt_startup.h */

typedef void (*set_app_type_function)(int);
typedef int (*main_function)(int, wchar_t **);

int wmain(int argc, wchar_t **argv)
{
    HMODULE runtime = LoadLibraryW(L"ucrtbase.dll");
    HMODULE library = LoadLibraryW(L"python311.dll");
    set_app_type_function set_app_type =
        runtime ? (set_app_type_function)GetProcAddress(runtime, "_set_app_type") : NULL;
    main_function py_main = library ? (main_function)GetProcAddress(library, "Py_Main") : NULL;

    if (!set_app_type || !py_main)
        return 1;
    /* This program has a C runtime of its own. Python's must know that it is a console program:
       only then does dup2 keep the standard handles in step with the descriptors 0 to 2. */
    set_app_type(CONSOLE_PROGRAM);
    return py_main(argc, argv);
}
