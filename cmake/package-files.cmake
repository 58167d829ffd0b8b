# CPack runs this between copying the files and packing them: Debian wants pages and changelogs
# compressed, and the upstream changelog under that name.
set(usr "${CPACK_TEMPORARY_DIRECTORY}/usr")
file(RENAME "${usr}/share/doc/kopru/CHANGELOG.md" "${usr}/share/doc/kopru/changelog")
file(REMOVE "${usr}/share/doc/kopru/LICENSE") # copyright has it
file(GLOB pages "${usr}/share/man/man*/*")
execute_process(COMMAND gzip --best --no-name --force ${pages} "${usr}/share/doc/kopru/changelog"
    "${usr}/share/doc/kopru/changelog.Debian"
  COMMAND_ERROR_IS_FATAL ANY)
