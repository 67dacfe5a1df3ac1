// TLS for RawServer, and certificates that are made when a test begins. Nothing is kept on disk.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "raw_server.h"

namespace tus {

struct Identity {
  std::string certificate;  ///< PEM
  std::string key;          ///< PEM
};

struct CertificateRequest {
  /// As a subjectAltName, such as "IP:127.0.0.1" or "DNS:example.org".
  std::string name = "IP:127.0.0.1";
  /// From now.
  std::chrono::hours not_before{-1};
  std::chrono::hours not_after{1};
};

class Authority {
 public:
  explicit Authority(std::string const& name = "Authority of a test");
  Authority(Authority const&) = delete;
  Authority& operator=(Authority const&) = delete;
  ~Authority();

  [[nodiscard]] std::string const& certificate() const { return certificate_; }
  [[nodiscard]] Identity Issue(CertificateRequest const& request = {}) const;

 private:
  struct Pair;
  std::unique_ptr<Pair> pair_;
  std::string certificate_;
};

/// `key` (PEM) as it is when a pass phrase protects it.
[[nodiscard]] std::string Encrypted(std::string const& key);

struct TlsOptions {
  Identity identity{};
  int max_version = 0;             ///< TLS1_1_VERSION and so on; 0: the newest
  std::string client_authority{};  ///< PEM; set: a certificate of it is demanded
  bool http2 = false;              ///< is what ALPN chooses where the client offers it
};

/// The server's end after the handshake.
class TlsConnection {
 public:
  virtual ~TlsConnection() = default;
  /// As RawConnection has them.
  virtual std::string ReadHead() = 0;
  virtual std::string ReadBody(std::size_t size) = 0;
  virtual bool Send(std::string_view text) = 0;
  /// Sends close_notify and FIN.
  virtual void Close() = 0;
  [[nodiscard]] virtual int number() const = 0;
  [[nodiscard]] virtual std::string version() const = 0;
  [[nodiscard]] virtual std::string alpn() const = 0;
};

/// Runs `script` on each connection whose handshake succeeds; else closes it.
[[nodiscard]] RawServer::Script OverTls(TlsOptions options,
                                        std::function<void(TlsConnection&)> script);

}  // namespace tus
