// Filesystem: 20,000 random operations against a model in memory. A failure prints its seed; run
// it again with TUSFS_MODEL_SEED=N.
#include <array>
#include <cstdlib>
#include <random>
#include <set>

#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

constexpr int kOperations = 20'000;
constexpr std::uint64_t kLargest = 3000;  // bytes of a file

struct Node {
  bool is_directory = false;
  std::string bytes;
  std::uint32_t links = 1;
  std::map<std::string, std::shared_ptr<Node>> children;
  InodeId inode = 0;
};
using NodePtr = std::shared_ptr<Node>;

class Model : public FilesystemRig {
 public:
  Model() {
    auto const* const chosen = std::getenv("TUSFS_MODEL_SEED");
    seed_ = chosen != nullptr ? std::stoull(chosen) : std::random_device{}();
    random_.seed(seed_);
    root_->is_directory = true;
    root_->inode = kRootInode;
  }

  std::uint64_t Random(std::uint64_t below) { return random_() % below; }

  NodePtr RandomDirectory() {
    auto at = root_;
    while (Random(3) != 0) {
      std::vector<NodePtr> below;
      for (auto const& [name, child] : at->children) {
        if (child->is_directory) below.push_back(child);
      }
      if (below.empty()) break;
      at = below[Random(below.size())];
    }
    return at;
  }

  std::string RandomName() { return std::string(1, static_cast<char>('a' + Random(6))); }

  static bool IsAtOrBeneath(NodePtr const& node, NodePtr const& top) {
    if (node == top) return true;
    for (auto const& [name, child] : top->children) {
      if (child->is_directory && IsAtOrBeneath(node, child)) return true;
    }
    return false;
  }

  static NodePtr Child(NodePtr const& directory, std::string const& name) {
    auto const found = directory->children.find(name);
    return found == directory->children.end() ? nullptr : found->second;
  }

  // ---- operations: each does the same to both, and says where they differ

  void Create() {
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    auto const created = fs_->Create(me_, parent->inode, name, 0644, O_RDWR);
    ASSERT_EQ(CodeOf(created), Child(parent, name) ? EEXIST : 0);
    if (!created) return;
    auto node = std::make_shared<Node>();
    node->inode = created->attributes.inode;
    parent->children[name] = node;
    open_.emplace_back(created->handle, node);
  }

  void MakeDirectory() {
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    auto const made = fs_->MakeDirectory(me_, parent->inode, name, 0755);
    ASSERT_EQ(CodeOf(made), Child(parent, name) ? EEXIST : 0);
    if (!made) return;
    auto node = std::make_shared<Node>();
    node->is_directory = true;
    node->inode = made->inode;
    parent->children[name] = node;
  }

  void Remove() {
    auto const parent = RandomDirectory();
    auto const name = RandomName();
    auto const node = Child(parent, name);
    auto const unlinked = CodeOf(fs_->Unlink(me_, parent->inode, name));
    if (!node || !node->is_directory) {
      ASSERT_EQ(unlinked, node ? 0 : ENOENT);
      if (node) --node->links;
      parent->children.erase(name);
      return;
    }
    ASSERT_EQ(unlinked, EISDIR);
    auto const removed = CodeOf(fs_->RemoveDirectory(me_, parent->inode, name));
    ASSERT_EQ(removed, node->children.empty() ? 0 : ENOTEMPTY);
    if (removed == 0) parent->children.erase(name);
  }

  void Link() {
    auto const from = RandomDirectory();
    auto const node = Child(from, RandomName());
    if (!node) return;
    auto const to = RandomDirectory();
    auto const name = RandomName();
    auto const linked = CodeOf(fs_->Link(me_, node->inode, to->inode, name));
    ASSERT_EQ(linked, node->is_directory ? EPERM : Child(to, name) ? EEXIST : 0);
    if (linked != 0) return;
    ++node->links;
    to->children[name] = node;
  }

  int ExpectedOfRename(NodePtr const& source, NodePtr const& target, unsigned flags) {
    if (!source) return ENOENT;
    if (target && flags == RENAME_NOREPLACE) return EEXIST;
    if (!target && flags == RENAME_EXCHANGE) return ENOENT;
    if (!target || target == source || flags == RENAME_EXCHANGE) return 0;
    if (target->is_directory && !source->is_directory) return EISDIR;
    if (!target->is_directory && source->is_directory) return ENOTDIR;
    return target->children.empty() ? 0 : ENOTEMPTY;
  }

  void Rename() {
    auto const from = RandomDirectory();
    auto const to = RandomDirectory();
    auto const from_name = RandomName();
    auto const to_name = RandomName();
    auto const source = Child(from, from_name);
    auto const target = Child(to, to_name);
    unsigned const flags = std::array{0U, 0U, 0U + RENAME_NOREPLACE,
                                      0U + RENAME_EXCHANGE}[Random(4)];
    // The kernel keeps a directory from moving into itself.
    if (source && source->is_directory && IsAtOrBeneath(to, source)) return;
    if (target && target->is_directory && IsAtOrBeneath(from, target)) return;
    auto const renamed = CodeOf(fs_->Rename(me_, from->inode, from_name, to->inode, to_name, flags));
    ASSERT_EQ(renamed, ExpectedOfRename(source, target, flags));
    if (renamed != 0 || source == target) return;
    if (flags == RENAME_EXCHANGE) {
      std::swap(from->children[from_name], to->children[to_name]);
      return;
    }
    if (target) --target->links;
    from->children.erase(from_name);
    to->children[to_name] = source;
  }

  void Open() {
    auto const parent = RandomDirectory();
    auto const node = Child(parent, RandomName());
    if (!node || node->is_directory || open_.size() > 20) return;
    int const flags = std::array{O_RDWR, O_RDWR, O_RDWR | O_TRUNC}[Random(3)];
    auto const handle = fs_->Open(me_, node->inode, flags);
    ASSERT_TRUE(Ok(handle));
    if ((flags & O_TRUNC) != 0) node->bytes.clear();
    open_.emplace_back(*handle, node);
  }

  void Close() {
    if (open_.empty()) return;
    auto const at = open_.begin() + static_cast<std::ptrdiff_t>(Random(open_.size()));
    FilesystemRig::Close(at->first);
    open_.erase(at);
  }

  void Write() {
    if (open_.empty()) return;
    auto const& [handle, node] = open_[Random(open_.size())];
    auto const offset = Random(kLargest);
    auto const bytes = tusfs_testing::RandomBytes(1 + Random(500), random_());
    ASSERT_TRUE(Ok(fs_->Write(me_, handle, offset, std::as_bytes(std::span(bytes)))));
    if (node->bytes.size() < offset + bytes.size()) node->bytes.resize(offset + bytes.size());
    node->bytes.replace(offset, bytes.size(), bytes);
  }

  void Truncate() {
    auto node = Child(RandomDirectory(), RandomName());
    HandleId handle = 0;
    if (!open_.empty() && Random(2) == 0) std::tie(handle, node) = open_[Random(open_.size())];
    if (!node || node->is_directory) return;
    AttributeChange change;
    change.size = Random(4) == 0 ? 0 : Random(kLargest);
    auto const set = fs_->SetAttributes(me_, node->inode, change, handle);
    ASSERT_TRUE(Ok(set));
    ASSERT_EQ(set->size, *change.size);
    node->bytes.resize(*change.size);
  }

  void ReadBack() {
    if (open_.empty()) return;
    auto const& [handle, node] = open_[Random(open_.size())];
    auto const offset = Random(kLargest);
    auto const size = Random(kLargest);
    auto const expected = offset < node->bytes.size() ? node->bytes.substr(offset, size) : "";
    ASSERT_TRUE(Read(handle, offset, size) == expected);
  }

  // ---- the whole tree

  void Compare(NodePtr const& node) {
    auto const attributes = Stat(node->inode);
    if (!node->is_directory) {
      ASSERT_EQ(attributes.size, node->bytes.size());
      ASSERT_EQ(attributes.links, node->links);
      ASSERT_TRUE(BytesOf(node->inode) == node->bytes);
      return;
    }
    std::vector<std::string> expected{".", ".."};
    std::uint32_t links = 2;
    for (auto const& [name, child] : node->children) {
      expected.push_back(name);
      if (child->is_directory) ++links;
      ASSERT_EQ(InodeOf(name, node->inode), child->inode);
    }
    ASSERT_THAT(Names(node->inode), testing::UnorderedElementsAreArray(expected));
    ASSERT_EQ(attributes.links, links);
    for (auto const& [name, child] : node->children) {
      ASSERT_NO_FATAL_FAILURE(Compare(child)) << name;
    }
  }

  std::size_t CountFiles(NodePtr const& node, std::set<InodeId>& seen) {
    if (!node->is_directory) seen.insert(node->inode);
    for (auto const& [name, child] : node->children) CountFiles(child, seen);
    return seen.size();
  }

  std::uint64_t seed_ = 0;
  std::mt19937_64 random_;
  NodePtr const root_ = std::make_shared<Node>();
  std::vector<std::pair<HandleId, NodePtr>> open_;
};

TEST_F(Model, TwentyThousandRandomOperationsDoWhatTheModelDoes) {
  SCOPED_TRACE("TUSFS_MODEL_SEED=" + std::to_string(seed_));
  RecordProperty("seed", std::to_string(seed_));
  using Operation = void (Model::*)();
  constexpr Operation kMenu[] = {
      &Model::Create, &Model::Create,   &Model::MakeDirectory, &Model::Remove, &Model::Remove,
      &Model::Link,   &Model::Rename,   &Model::Rename,        &Model::Open,   &Model::Close,
      &Model::Close,  &Model::Write,    &Model::Write,         &Model::Write,  &Model::ReadBack,
      &Model::ReadBack};
  for (int i = 0; i < kOperations; ++i) {
    SCOPED_TRACE("operation " + std::to_string(i));
    // Truncations wait for the disk, so they are rarer.
    auto const operation = Random(60) == 0 ? &Model::Truncate : kMenu[Random(std::size(kMenu))];
    ASSERT_NO_FATAL_FAILURE((this->*operation)());
    if (i % 1000 == 0) {
      ASSERT_NO_FATAL_FAILURE(Compare(root_));
    }
    if (HasFailure()) return;
  }
  Remount();  // with files open, and nameless ones among them
  ASSERT_NO_FATAL_FAILURE(Compare(root_));
  std::set<InodeId> files;
  EXPECT_EQ(SpoolFiles(), CountFiles(root_, files)) << "a body for each file and no other";
}

}  // namespace
}  // namespace tusfs
