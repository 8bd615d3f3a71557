// sha256_test.cc - the vectors of FIPS 180-4's examples and the lengths around a block's end.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>

#include "subject/plugin_sha256.h"

namespace hakbench {
namespace {

std::string sha256(const std::string &text) { return sha256_of_bytes(text.data(), text.size()); }

TEST(Sha256, PublishedVectors) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, AroundABlocksEnd) {  // of 'x' repeated; from Python's hashlib
  EXPECT_EQ(sha256(std::string(55, 'x')),
            "d5e285683cd4efc02d021a5c62014694958901005d6f71e89e0989fac77e4072");
  EXPECT_EQ(sha256(std::string(56, 'x')),
            "04c26261370ee7541549d16dee320c723e3fd14671e66a099afe0a377c16888e");
  EXPECT_EQ(sha256(std::string(63, 'x')),
            "75220b47218278e656f2013bb8f0c455a25eaf01e86c64924e9d48d89776d6f2");
  EXPECT_EQ(sha256(std::string(64, 'x')),
            "7ce100971f64e7001e8fe5a51973ecdfe1ced42befe7ee8d5fd6219506b5393c");
}

TEST(Sha256, OfFiles) {
  const std::string path = testing::TempDir() + "sha256_test_file";
  FILE *const file = std::fopen(path.c_str(), "wb");
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(sha256_of_file(path), sha256(""));
  std::fputs("abc", file);
  std::fclose(file);
  EXPECT_EQ(sha256_of_file(path), sha256("abc"));
  std::remove(path.c_str());
  EXPECT_EQ(sha256_of_file(path), "");
}

}  // namespace
}  // namespace hakbench
