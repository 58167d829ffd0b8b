# Every flag stands with its reason.
add_library(kopru_warnings INTERFACE)
target_compile_options(kopru_warnings INTERFACE
  -Wall                    # the common mistakes
  -Wextra                  # the less common ones
  -Wshadow                 # two variables of one name in sight of each other are read wrongly
  -Wstrict-prototypes      # f() takes anything; f(void) is meant
  -Wmissing-prototypes     # a function without a header is static or forgotten
  -Wpointer-arith          # arithmetic on void* is an extension that hides a missing cast
  -Wcast-qual              # a cast that drops const
  -Wwrite-strings          # string literals are const
  -Wformat=2               # formats that are not literals, and %n
  -Wvla                    # stack use must be known
  -Wundef                  # a misspelt macro in #if is 0
  -Wimplicit-fallthrough   # a forgotten break
  -Wconversion             # lengths and tags must not be cut silently
  -Wno-sign-conversion     # ... but int and size_t of small values mix in every libc call
  -Wswitch-enum            # a new enum value must be met everywhere
)
if(KOPRU_WERROR)
  # Only where the compiler is known, see KOPRU_WERROR.
  target_compile_options(kopru_warnings INTERFACE -Werror)
endif()
