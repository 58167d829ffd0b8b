# What protects a daemon that parses foreign bytes; in release builds only, where its cost and its
# noise belong.
add_library(kopru_hardening INTERFACE)
target_compile_options(kopru_hardening INTERFACE
  $<$<CONFIG:Release>:-fstack-protector-strong> # an overrun of a stack buffer ends the process
  $<$<CONFIG:Release>:-fstack-clash-protection> # large frames touch every page
  $<$<CONFIG:Release>:-fcf-protection>          # indirect jumps land where they may (x86)
  $<$<CONFIG:Release>:-U_FORTIFY_SOURCE>
  $<$<CONFIG:Release>:-D_FORTIFY_SOURCE=2>      # checked memcpy, snprintf, read
  $<$<CONFIG:Release>:-fPIE>
)
target_link_options(kopru_hardening INTERFACE
  $<$<CONFIG:Release>:-pie>
  $<$<CONFIG:Release>:-Wl,-z,relro,-z,now>      # the tables of function addresses are read-only
  $<$<CONFIG:Release>:-Wl,-z,noexecstack>
)
if(KOPRU_SANITIZE)
  target_compile_options(kopru_hardening INTERFACE
    -fsanitize=${KOPRU_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(kopru_hardening INTERFACE -fsanitize=${KOPRU_SANITIZE})
endif()
