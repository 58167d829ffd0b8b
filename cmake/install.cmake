# What `cmake --install` copies; man pages and the completion are in docs/man. DESTDIR and --prefix
# are honoured by all of it, so nothing has an absolute destination and no file below /etc is ever
# touched: the configuration is installed as a sample, which a person copies to /etc/kopru.
include(GNUInstallDirs)
set(KOPRU_SHARE "${CMAKE_INSTALL_DATADIR}/kopru")

if(KOPRU_MANUALS AND NOT KOPRU_FUZZ AND EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/docs/man")
  add_subdirectory(docs/man)
endif()

# Its own directories explicitly: those that come with their files would have the umask's mode.
install(DIRECTORY DESTINATION "${KOPRU_SHARE}")
install(DIRECTORY DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(TARGETS kopru)
install(FILES etc/kopru.cfg DESTINATION "${KOPRU_SHARE}")
install(DIRECTORY etc/entities DESTINATION "${KOPRU_SHARE}" FILES_MATCHING PATTERN "*.cfg")
# As in the repository, so that Sqitch and psql run there, too.
install(FILES sqitch.conf DESTINATION "${KOPRU_SHARE}")
install(DIRECTORY migrations DESTINATION "${KOPRU_SHARE}"
  FILES_MATCHING PATTERN "*.sql" PATTERN "sqitch.plan" PATTERN "README.md")
install(DIRECTORY sql DESTINATION "${KOPRU_SHARE}" FILES_MATCHING PATTERN "*.sql")
install(FILES README.md CHANGELOG.md LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
install(DIRECTORY docs/ DESTINATION "${CMAKE_INSTALL_DOCDIR}/docs"
  FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "man" EXCLUDE)

# systemd looks for both below /usr and below /usr/local, in lib whatever the architecture.
install(FILES etc/kopru.sysusers DESTINATION lib/sysusers.d RENAME kopru.conf)
# The unit names the program where this installation has it: --prefix may say another place than
# the build was configured for.
install(CODE "
  file(READ \"${PROJECT_SOURCE_DIR}/etc/kopru.service\" unit)
  string(REPLACE /usr/local/bin/ \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/\" unit
    \"\${unit}\")
  file(WRITE \"${PROJECT_BINARY_DIR}/kopru.service\" \"\${unit}\")")
install(FILES "${PROJECT_BINARY_DIR}/kopru.service" DESTINATION lib/systemd/system)
