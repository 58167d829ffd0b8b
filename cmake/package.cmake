# The Debian package, which `./dev package` makes: what `cmake --install` copies to /usr, and the
# configuration in /etc/kopru. packaging/debian has its scripts.
#
# A package is for the Debian on which it was built: dpkg-shlibdeps finds the libraries there, and
# the names of some differ between releases.
set(KOPRU_PACKAGE_RELEASE "" CACHE STRING "Release of the package; if empty, 1~deb and the Debian")
set(KOPRU_PACKAGE_MAINTAINER "kopru contributors <kopru@example.com>" CACHE STRING
  "Who answers for the package, as in: Name <address>")

if(KOPRU_PACKAGE_RELEASE)
  set(release "${KOPRU_PACKAGE_RELEASE}")
else()
  cmake_host_system_information(RESULT debian QUERY DISTRIB_VERSION_ID)
  set(release "1~deb${debian}")
endif()

# Only in the package: cmake --install leaves /etc alone.
set(private OWNER_READ OWNER_WRITE GROUP_READ)
install(FILES etc/kopru.cfg DESTINATION /etc/kopru PERMISSIONS ${private}
  COMPONENT configuration EXCLUDE_FROM_ALL)
install(DIRECTORY etc/entities DESTINATION /etc/kopru FILE_PERMISSIONS ${private}
  COMPONENT configuration EXCLUDE_FROM_ALL FILES_MATCHING PATTERN "*.cfg")
file(GLOB entities RELATIVE "${PROJECT_SOURCE_DIR}/etc" etc/entities/*.cfg)
list(TRANSFORM entities PREPEND /etc/kopru/)
set(conffiles /etc/kopru/kopru.cfg ${entities})

# What Debian wants in the documentation, from what the repository has.
set(made "${PROJECT_BINARY_DIR}/debian")
file(READ LICENSE LICENSE_TEXT)
string(REGEX REPLACE "^.*\n\n(Permission)" "\\1" LICENSE_TEXT "${LICENSE_TEXT}")
string(STRIP "${LICENSE_TEXT}" LICENSE_TEXT)
string(REPLACE "\n\n" "\n.\n" LICENSE_TEXT "${LICENSE_TEXT}")
string(REPLACE "\n" "\n " LICENSE_TEXT " ${LICENSE_TEXT}")
configure_file(packaging/debian/copyright.in "${made}/copyright" @ONLY)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${made}/changelog.Debian"
"kopru (${PROJECT_VERSION}-${release}) unstable; urgency=medium

  * Built from the sources; changelog.gz says what has changed for operators.

 -- ${KOPRU_PACKAGE_MAINTAINER}  ${date}\n")
string(JOIN "\n" lines ${conffiles})
file(WRITE "${made}/conffiles" "${lines}\n")
string(JOIN " " CONFFILES ${conffiles})
foreach(script postinst prerm postrm)
  configure_file(packaging/debian/${script} "${made}/${script}" @ONLY
    FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
      WORLD_READ WORLD_EXECUTE)
endforeach()
install(FILES "${made}/copyright" "${made}/changelog.Debian"
  DESTINATION "${CMAKE_INSTALL_DOCDIR}" COMPONENT configuration EXCLUDE_FROM_ALL)
install(FILES packaging/debian/lintian-overrides RENAME kopru
  DESTINATION "${CMAKE_INSTALL_DATADIR}/lintian/overrides" COMPONENT configuration EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS
  "${PROJECT_BINARY_DIR};kopru;ALL;/" "${PROJECT_BINARY_DIR};kopru;configuration;/")
set(CPACK_SET_DESTDIR ON) # for what is below /etc
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/package-files.cmake")
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_DIRECTORY "${PROJECT_BINARY_DIR}/package")
set(CPACK_PACKAGE_CHECKSUM SHA256)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE "${release}")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${KOPRU_PACKAGE_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# erp.time_zone is looked up in tzdata; the scripts call systemd-sysusers and deb-systemd-helper.
set(CPACK_DEBIAN_PACKAGE_DEPENDS
  "tzdata, init-system-helpers (>= 1.52), systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql-client, sqitch, libdbd-pg-perl")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"kopru is a daemon that consumes the notifications about customers and
subscriptions which an ERP publishes to RabbitMQ, and keeps normalized
tables of PostgreSQL in step with them.

A message is acknowledged only after its rows have committed; one that
cannot be applied is stored as a dead letter, with its reason.")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  "${made}/conffiles;${made}/postinst;${made}/prerm;${made}/postrm")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
