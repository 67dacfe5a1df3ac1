#include "keeper/link.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace tusfs {

Result<std::pair<Link, Link>> Link::Make() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return FailErrno("socketpair");
  }
  return std::pair(Link(UniqueFd(ends[0])), Link(UniqueFd(ends[1])));
}

Result<void> Link::Send(Word word, int fd, std::string_view text) const {
  std::string shown(text.substr(0, kLongestText));
  iovec pieces[]{{&word, sizeof word}, {shown.data(), shown.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = shown.empty() ? 1 : 2;
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    auto* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(fd_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return FailErrno("keeper and daemon");
  return {};
}

std::optional<Message> Link::Receive() const {
  Message received{};
  received.text.resize(kLongestText);
  iovec pieces[]{{&received.word, sizeof received.word},
                 {received.text.data(), received.text.size()}};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = 0;
  do {
    got = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return std::nullopt;
  received.text.resize(static_cast<std::size_t>(got) - sizeof received.word);
  auto const* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    received.fd = UniqueFd(fd);
  }
  return received;
}

}  // namespace tusfs
