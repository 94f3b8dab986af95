# Install rules: libtuff, the libraries beside it, their public headers, and the package config behind
# find_package(tuff), one component per library beside libtuff.
#
# Public are the headers one can reach from tuff/tuff.h, and from the headers named below, found when
# installing (install_headers.cmake), so there is no list to keep.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tuff")

install(TARGETS tuff EXPORT tuffTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(EXPORT tuffTargets NAMESPACE tuff:: DESTINATION "${package_dir}")
set(public_headers tuff/tuff.h)

if(TUFF_BUILD_TABLE)
  install(TARGETS tuff_table EXPORT tuffTableTargets
          LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
          RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  install(EXPORT tuffTableTargets NAMESPACE tuff:: DESTINATION "${package_dir}")
  list(APPEND public_headers tuff/table/table.h tuff/table/write.h)
endif()

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/tuffConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/tuffConfig.cmake" INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may break the ABI, so only the same minor version is compatible.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tuffConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tuffConfig.cmake" "${PROJECT_BINARY_DIR}/tuffConfigVersion.cmake"
        DESTINATION "${package_dir}")

install(CODE "
  set(roots \"${PROJECT_SOURCE_DIR}\" \"${PROJECT_BINARY_DIR}/include\")
  set(first ${public_headers})
  set(include_dir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")
  include(\"${CMAKE_CURRENT_LIST_DIR}/install_headers.cmake\")")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
