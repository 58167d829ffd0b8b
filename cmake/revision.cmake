# Writes OUTPUT, a C file with the revision of the sources; the build runs it each time, because a
# commit changes no file that it compiles. A file that says the same is left alone, so that nothing
# is linked again.
#
#   cmake -D SOURCE=... -D OUTPUT=... -D REVISION=... -P revision.cmake
#
# REVISION is what the one who builds says, for an archive without .git; where it is empty, git
# describes the clone. The revision is empty if neither knows it. The .git has to be that of SOURCE:
# an archive may have been unpacked inside of another repository.
cmake_minimum_required(VERSION 3.25)

if(REVISION STREQUAL "" AND EXISTS "${SOURCE}/.git")
  execute_process(COMMAND git --no-optional-locks describe --always --dirty --abbrev=12
    WORKING_DIRECTORY "${SOURCE}"
    OUTPUT_VARIABLE REVISION OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(NOT status EQUAL 0)
    set(REVISION "")
  endif()
endif()
if(NOT REVISION MATCHES "^[A-Za-z0-9.+~_/-]*$")
  message(FATAL_ERROR "KOPRU_REVISION is \"${REVISION}\": only letters, digits and .+~_/- may be "
                      "in it")
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT
  "#include \"cmd/revision.h\"\n\nconst char KOPRU_REVISION[] = \"@REVISION@\";\n")
