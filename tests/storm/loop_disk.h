// A small disk of the test's own: a filesystem in an image file, mounted by a loop device, in a
// mount namespace that ends with the test's process.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace tusfs_testing {

/// A mount namespace of its own for this process and its children. Why that cannot be; or empty.
[[nodiscard]] std::string EnterMountNamespace();

class LoopDisk {
 public:
  /// An image of `size` bytes with a filesystem of that kind ("ext4", "xfs"). Not mounted yet.
  /// Throws std::runtime_error with what mkfs said.
  LoopDisk(std::filesystem::path image, std::string const& kind, std::uint64_t size,
           std::filesystem::path mountpoint);
  ~LoopDisk();
  LoopDisk(LoopDisk const&) = delete;
  LoopDisk& operator=(LoopDisk const&) = delete;

  /// Empty, or what mount said.
  [[nodiscard]] std::string Mount();
  /// Waits until nobody uses it.
  [[nodiscard]] bool Unmount();
  /// As a disk is after an error that its filesystem cannot go on from: it is read-only at once.
  [[nodiscard]] std::string Abort();
  /// What fsck would repair at the next boot is repaired. Not mounted.
  void Repair();
  /// Fills it to the last byte with a file of that name beneath its mount point, less `left` bytes.
  void Fill(std::string const& name, std::uint64_t left);

  [[nodiscard]] std::filesystem::path const& image() const { return image_; }
  [[nodiscard]] std::filesystem::path operator/(std::string const& name) const {
    return mountpoint_ / name;
  }

 private:
  std::filesystem::path const image_;
  std::filesystem::path const mountpoint_;
};

}  // namespace tusfs_testing
