# Install rules: libtuff, its public headers, and the package config behind find_package(tuff).
#
# Public are the headers one can reach from tuff/tuff.h, found when installing (install_headers.cmake),
# so there is no list to keep.
include(CMakePackageConfigHelpers)

set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/tuff")

install(TARGETS tuff EXPORT tuffTargets
        LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
        RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
install(EXPORT tuffTargets NAMESPACE tuff:: DESTINATION "${package_dir}")

configure_package_config_file("${CMAKE_CURRENT_LIST_DIR}/tuffConfig.cmake.in"
  "${PROJECT_BINARY_DIR}/tuffConfig.cmake" INSTALL_DESTINATION "${package_dir}")
# Before 1.0 a minor version may break the ABI, so only the same minor version is compatible.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/tuffConfigVersion.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/tuffConfig.cmake" "${PROJECT_BINARY_DIR}/tuffConfigVersion.cmake"
        DESTINATION "${package_dir}")

install(CODE "
  set(roots \"${PROJECT_SOURCE_DIR}\" \"${PROJECT_BINARY_DIR}/include\")
  set(include_dir \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")
  include(\"${CMAKE_CURRENT_LIST_DIR}/install_headers.cmake\")")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")
