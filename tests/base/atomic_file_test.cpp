// Files that appear whole or not at all.
#include "tuff/base/atomic_file.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tuff/base/error.h"

namespace tuff {
namespace {

namespace fs = std::filesystem;

class AtomicFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("tuff-atomic-" + std::to_string(::getpid()));
    fs::create_directory(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const char* name) const { return (folder_ / name).string(); }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  static std::string text_of(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  static void put(const std::string& path, std::string_view text) {
    AtomicFile file("test", path);
    file.write(text);
    file.commit();
  }
  static std::string error_of(const std::string& path, std::string_view text = "new") {
    try {
      put(path, text);
    } catch (const InvalidArgument& error) {
      return error.what();
    }
    return "(no error)";
  }
  fs::path folder_;
};

TEST_F(AtomicFiles, AppearWhenTheyAreComplete) {
  AtomicFile file("test", path("a"));
  file.write("half");
  EXPECT_FALSE(fs::exists(path("a")));
  file.commit();
  EXPECT_EQ(text_of(path("a")), "half");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFiles, LeaveNothingWithoutCommit) {
  put(path("a"), "old");
  { AtomicFile(std::string_view("test"), path("a")).write("new"); }
  EXPECT_EQ(text_of(path("a")), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFiles, KeepALinkAndReplaceWhatItPointsAt) {
  put(path("a"), "old");
  fs::create_symlink(path("a"), path("link"));
  put(path("link"), "new");
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(text_of(path("a")), "new");
}

TEST_F(AtomicFiles, NameWhatCannotBeWritten) {
  EXPECT_EQ(error_of(""), "[test] an empty path");
  EXPECT_EQ(error_of(folder_.string()),
            "[test] '" + folder_.string() + "' is a directory; a file is needed");
  EXPECT_EQ(error_of("/dev/null"), "[test] '/dev/null' is not a regular file; a file is needed");
  EXPECT_EQ(error_of(path("no/a")),
            "[test] cannot create '" + path("no/a") +
                "': No such file or directory (after 0 bytes); nothing was left, and what "
                "was there before still is");
}

TEST_F(AtomicFiles, KeepWhatWasThereWhenTheDiskIsFull) {
  put(path("a"), "old");
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  rlimit limit = before;
  limit.rlim_cur = 100;
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const std::string text = error_of(path("a"), std::string(1000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_EQ(text, "[test] cannot write '" + path("a") +
                      "': File too large (after 100 bytes); nothing was left, and what was there "
                      "before still is");
  EXPECT_EQ(text_of(path("a")), "old");
  EXPECT_EQ(files(), 1U);
}

TEST_F(AtomicFiles, KeepWhoMayReadThem) {
  const std::string name = path("private");
  std::ofstream(name) << "old";
  ASSERT_EQ(::chmod(name.c_str(), 0640), 0);
  put(name, "new");
  struct stat status {};
  ASSERT_EQ(::stat(name.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640u);
  EXPECT_EQ(status.st_uid, ::getuid());
  EXPECT_EQ(text_of(name), "new");
}

TEST_F(AtomicFiles, ALinkToNothingStaysAndWhatItNamesIsMade) {
  fs::create_symlink("missing", path("link"));
  fs::create_symlink("link", path("other"));
  put(path("other"), "text");
  EXPECT_TRUE(fs::is_symlink(path("other")));
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(text_of(path("missing")), "text");
  EXPECT_EQ(files(), 3u);
}

TEST_F(AtomicFiles, NamesMayBeAsLongAsTheSystemAllows) {
  const std::string name(250, 'n');
  put(path(name.c_str()), "text");
  EXPECT_EQ(text_of(path(name.c_str())), "text");
}

}  // namespace
}  // namespace tuff
