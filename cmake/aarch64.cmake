# Toolchain: builds for 64-bit ARM on a Debian of another processor, and runs what was built under qemu.
#
# Used by the preset `arm`. Compiler, emulator and libraries are Debian packages (scripts/bootstrap.sh arm):
# the libraries are those of arm64, installed beside the machine's own in /usr/lib/aarch64-linux-gnu.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64)

# pkg-config knows the machine's own libraries only, unless it is told where the others are described.
set(ENV{PKG_CONFIG_LIBDIR} "/usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig")
