// The file that blocks are spilled to: whatever goes in comes out, and what does not is refused in words.
#include "tuff/schedule/spill_file.h"

#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tuff/base/error.h"

namespace {

using tuff::MemoryError;
using tuff::SpillFile;
using tuff::SpillRegion;
using Bytes = std::vector<std::byte>;

/// A folder on a disk; the tests' own folder may be in memory.
std::string disk() { return "/var/tmp"; }

Bytes noise(size_t count, unsigned seed) {
  std::mt19937_64 random(seed);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

Bytes ramp(size_t count) {
  Bytes bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i / 1000);
  return bytes;
}

template <class F>
std::string error_of(F&& call) {
  try {
    call();
  } catch (const MemoryError& error) {
    return error.what();
  }
  return "no error";
}

/// The spill file among this process's open files: its name is gone, so it is found by its folder.
int open_spill_file() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink(entry.path(), error).string();
    if (target.rfind(disk() + "/", 0) == 0 && target.find("(deleted)") != std::string::npos)
      return std::stoi(entry.path().filename().string());
  }
  return -1;
}

TEST(SpillFile, GivesBackWhatWentInWhateverItsSize) {
  SpillFile file(disk(), {});
  std::vector<std::pair<Bytes, SpillRegion>> kept;
  for (size_t size :
       {size_t{1}, size_t{4095}, size_t{4096}, SpillFile::kPieceBytes - 1, SpillFile::kPieceBytes,
        SpillFile::kPieceBytes + 1, 3 * SpillFile::kPieceBytes + 12345}) {
    for (Bytes data : {noise(size, 7), ramp(size), Bytes(size)}) {
      SpillRegion region = file.write(data);
      EXPECT_TRUE(region.is_somewhere());
      EXPECT_LE(region.stored_bytes, size);
      kept.emplace_back(std::move(data), std::move(region));
    }
  }
  for (const auto& [data, region] : kept) {
    Bytes back(data.size());
    file.read(region, back);
    EXPECT_EQ(back, data);
  }
}

TEST(SpillFile, CompressesWhatShrinksAndCountsWhatIsStored) {
  SpillFile file(disk(), {});
  const size_t size = 2 * SpillFile::kPieceBytes;
  const SpillRegion zeros = file.write(Bytes(size));
  EXPECT_LT(zeros.stored_bytes, size / 50);
  const SpillRegion random = file.write(noise(size, 1));
  EXPECT_EQ(random.stored_bytes, size);
  // Each piece takes whole blocks of the disk.
  const uint64_t of_zeros = 4096 * ((zeros.stored_bytes / 2 + 4095) / 4096) * 2;
  EXPECT_EQ(file.taken_bytes(), of_zeros + random.stored_bytes);
  file.free(random);
  EXPECT_EQ(file.taken_bytes(), of_zeros);
  file.free(zeros);
  EXPECT_EQ(file.taken_bytes(), 0u);
  file.free(SpillRegion());
}

TEST(SpillFile, HasNoNameAndGivesFreedSpaceBack) {
  SpillFile file(disk(), {});
  const SpillRegion first = file.write(noise(8 << 20, 1));
  const SpillRegion second = file.write(noise(1 << 20, 2));
  const int descriptor = open_spill_file();
  ASSERT_GE(descriptor, 0);
  struct stat before {};
  ASSERT_EQ(::fstat(descriptor, &before), 0);
  EXPECT_EQ(before.st_nlink, 0u);
  file.free(first);
  struct stat after {};
  ASSERT_EQ(::fstat(descriptor, &after), 0);
  EXPECT_LE(after.st_blocks + (7 << 20) / 512, before.st_blocks);
  Bytes back(1 << 20);
  file.read(second, back);
  EXPECT_EQ(back, noise(1 << 20, 2));
}

TEST(SpillFile, WhatIsFreedIsWrittenAgainBeforeTheFileGrows) {
  SpillFile file(disk(), {});
  const SpillRegion kept = file.write(noise(1 << 20, 1));
  std::vector<SpillRegion> regions;
  std::mt19937 random(1);
  for (unsigned i = 0; i < 200; ++i) {
    const size_t bytes = 1 + random() % (3 << 20);
    SpillRegion region = file.write(noise(bytes, i));
    Bytes back(bytes);
    file.read(region, back);
    EXPECT_EQ(back, noise(bytes, i));
    regions.push_back(std::move(region));
    if (regions.size() < 3) continue;
    const size_t gone = random() % regions.size();
    file.free(regions[gone]);
    regions.erase(regions.begin() + static_cast<std::ptrdiff_t>(gone));
  }
  struct stat now {};
  ASSERT_EQ(::fstat(open_spill_file(), &now), 0);
  EXPECT_LE(now.st_size, 20 << 20);  // four are there at most, of 3 MiB, and one of 1
  for (const SpillRegion& region : regions) file.free(region);
  EXPECT_EQ(file.taken_bytes(), size_t{1} << 20);
  ASSERT_EQ(::fstat(open_spill_file(), &now), 0);
  EXPECT_EQ(now.st_size, 1 << 20);
  Bytes back(1 << 20);
  file.read(kept, back);
  EXPECT_EQ(back, noise(1 << 20, 1));
}

TEST(SpillFile, AForkedProcessOwnsNothingOfIt) {
  SpillFile file(disk(), {});
  const SpillRegion region = file.write(noise(2 << 20, 1));
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    file.free(region);
    const std::string text = error_of([&] { file.write(Bytes(10)); });
    ::_exit(
        text == "[spill] this process was forked from the one whose blocks are on disk, and may "
                "not write there; make a Context of its own"
            ? 0
            : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  Bytes back(2 << 20);
  file.read(region, back);
  EXPECT_EQ(back, noise(2 << 20, 1));
}

TEST(SpillFile, WhatTheDiskChangedIsAnError) {
  SpillFile file(disk(), {});
  const SpillRegion region = file.write(noise(5000, 3));
  const int descriptor = open_spill_file();
  ASSERT_GE(descriptor, 0);
  const char wrong = 'x';
  ASSERT_EQ(::pwrite(descriptor, &wrong, 1, 2000), 1);
  ASSERT_EQ(::pwrite(descriptor, &wrong, 1, 2001), 1);
  Bytes back(5000);
  EXPECT_EQ(error_of([&] { file.read(region, back); }),
            "[spill] reading 0.0 MB back from /var/tmp failed: it is not what was written (its "
            "checksum differs); "
            "check the disk");
  ASSERT_EQ(::ftruncate(descriptor, 100), 0);
  EXPECT_EQ(error_of([&] { file.read(region, back); }),
            "[spill] reading 0.0 MB back from /var/tmp failed: Input/output error");
}

TEST(SpillFile, StopsBetweenPiecesAndIsThenAsBefore) {
  SpillFile file(disk(), {});
  const SpillRegion region = file.write(noise(2 << 20, 6));
  const int descriptor = open_spill_file();
  struct stat before {};
  ASSERT_EQ(::fstat(descriptor, &before), 0);
  std::stop_source source;
  const std::stop_token token = source.get_token();
  source.request_stop();
  EXPECT_THROW(file.write(noise(3 << 20, 7), tuff::StopRequest(token)), tuff::Cancelled);
  struct stat after {};
  ASSERT_EQ(::fstat(descriptor, &after), 0);
  EXPECT_EQ(after.st_size, before.st_size);
  EXPECT_EQ(file.taken_bytes(), region.stored_bytes);
  Bytes back(2 << 20);
  EXPECT_THROW(file.read(region, back, tuff::StopRequest(token)), tuff::Cancelled);
  file.read(region, back);
  EXPECT_EQ(back, noise(2 << 20, 6));
}

TEST(SpillFile, FoldersThatCannotServeAreNamed) {
  EXPECT_EQ(error_of([] { SpillFile("/var/tmp/there-is-no-such-folder", {}).write(Bytes(10)); }),
            "[spill] cannot write to the folder /var/tmp/there-is-no-such-folder: No such file or "
            "directory; set "
            "TUFF_SPILL_FOLDER or ContextOptions::spill_folder to another");
  if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP() << "no folder in memory here";
  EXPECT_EQ(error_of([] { SpillFile("/dev/shm", {}).write(Bytes(10)); }),
            "[spill] the folder /dev/shm is in memory itself (tmpfs); set TUFF_SPILL_FOLDER or "
            "ContextOptions::spill_folder to one on a disk");
}

TEST(SpillFile, TheLimitIsKeptAndWhatIsThereStays) {
  SpillFile file(disk(), 3 << 20);
  const SpillRegion region = file.write(noise(2 << 20, 4));
  const std::string text = error_of([&] { file.write(noise(2 << 20, 5)); });
  EXPECT_EQ(text.substr(0, 63), "[spill] no room for 2.1 MB more in /var/tmp: 2.1 MB are there, ");
  EXPECT_NE(text.find(" are free on the disk, at most 3.1 MB are allowed (spill_bytes); free some "
                      "of it, or set "
                      "TUFF_SPILL_FOLDER to a folder on a larger disk"),
            std::string::npos)
      << text;
  Bytes back(2 << 20);
  file.read(region, back);
  EXPECT_EQ(back, noise(2 << 20, 4));
  file.free(region);
  EXPECT_TRUE(file.write(noise(2 << 20, 5)).is_somewhere());
}

}  // namespace
