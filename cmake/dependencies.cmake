# What the library links, as one interface target `tuff_dependencies`, all private: no public header
# includes any of these (tools/check_layers.py checks it), so users of an installed libtuff need none.
#
# Highway, SLEEF, OpenBLAS, xxHash and LZ4 are found through pkg-config, the one description of them that
# both Debian packages and upstream installs carry; it also knows Debian's separate OpenBLAS folder.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
pkg_check_modules(TUFF_HWY REQUIRED IMPORTED_TARGET libhwy>=1.0.3)
pkg_check_modules(TUFF_SLEEF REQUIRED IMPORTED_TARGET sleef>=3.5)
pkg_check_modules(TUFF_OPENBLAS REQUIRED IMPORTED_TARGET openblas>=0.3.20)
pkg_check_modules(TUFF_XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8)
pkg_check_modules(TUFF_LZ4 REQUIRED IMPORTED_TARGET liblz4>=1.9)

add_library(tuff_dependencies INTERFACE)
target_link_libraries(tuff_dependencies INTERFACE
  Threads::Threads fmt::fmt PkgConfig::TUFF_HWY PkgConfig::TUFF_SLEEF PkgConfig::TUFF_OPENBLAS
  PkgConfig::TUFF_XXHASH PkgConfig::TUFF_LZ4)

# Arrow is behind tuff::table alone, in a library of its own: libtuff never loads it.
if(TUFF_BUILD_TABLE)
  find_package(TuffArrow REQUIRED)
endif()
