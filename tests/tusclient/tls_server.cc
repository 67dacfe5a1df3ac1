#include "tls_server.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <array>
#include <utility>

namespace tus {
namespace {

template <auto Function>
struct Free {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX_free>>;
using Ssl = std::unique_ptr<SSL, Free<SSL_free>>;

constexpr std::size_t kRecordHeader = 5;

std::string TextOf(Bio const& bio) {
  char* data = nullptr;
  auto const size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

Bio MemoryOf(std::string const& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string Pem(X509* certificate) {
  Bio const bio(BIO_new(BIO_s_mem()));
  EXPECT_EQ(PEM_write_bio_X509(bio.get(), certificate), 1);
  return TextOf(bio);
}

std::string Pem(EVP_PKEY* key, EVP_CIPHER const* cipher = nullptr) {
  Bio const bio(BIO_new(BIO_s_mem()));
  std::string phrase = "open sesame";
  EXPECT_EQ(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, cipher, phrase.data(),
                                          static_cast<int>(phrase.size()), nullptr, nullptr),
            1);
  return TextOf(bio);
}

Key KeyOf(std::string const& pem) {
  return Key(PEM_read_bio_PrivateKey(MemoryOf(pem).get(), nullptr, nullptr, nullptr));
}

Certificate CertificateOf(std::string const& pem) {
  return Certificate(PEM_read_bio_X509(MemoryOf(pem).get(), nullptr, nullptr, nullptr));
}

void AddExtension(X509* certificate, X509* issuer, int nid, std::string const& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  auto* const extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  ASSERT_NE(extension, nullptr) << value;
  EXPECT_EQ(X509_add_ext(certificate, extension, -1), 1);
  X509_EXTENSION_free(extension);
}

/// Without extensions and signature.
Certificate NewCertificate(EVP_PKEY* key, std::string_view name,
                           CertificateRequest const& request) {
  static std::atomic<long> serial = 0;
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  auto const seconds = [](std::chrono::hours time) {
    return static_cast<long>(std::chrono::seconds(time).count());
  };
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), seconds(request.not_before));
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), seconds(request.not_after));
  X509_set_pubkey(certificate.get(), key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<unsigned char const*>(name.data()),
                             static_cast<int>(name.size()), -1, 0);
  return certificate;
}

}  // namespace

struct Authority::Pair {
  Key key{EVP_EC_gen("P-256")};
  Certificate certificate;
};

Authority::Authority(std::string const& name) : pair_(std::make_unique<Pair>()) {
  pair_->certificate = NewCertificate(pair_->key.get(), name, {});
  auto* const certificate = pair_->certificate.get();
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  AddExtension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, certificate, NID_subject_key_identifier, "hash");
  EXPECT_GT(X509_sign(certificate, pair_->key.get(), EVP_sha256()), 0);
  certificate_ = Pem(certificate);
}

Authority::~Authority() = default;

Identity Authority::Issue(CertificateRequest const& request) const {
  Key const key(EVP_EC_gen("P-256"));
  auto const certificate = NewCertificate(key.get(), "Subject of a test", request);
  auto* const issuer = pair_->certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(issuer));
  AddExtension(certificate.get(), issuer, NID_subject_alt_name, request.name);
  EXPECT_GT(X509_sign(certificate.get(), pair_->key.get(), EVP_sha256()), 0);
  return {.certificate = Pem(certificate.get()), .key = Pem(key.get())};
}

std::string Encrypted(std::string const& key) { return Pem(KeyOf(key).get(), EVP_aes_256_cbc()); }

namespace {

Context MakeContext(TlsOptions const& options) {
  Context context(SSL_CTX_new(TLS_server_method()));
  if (options.max_version != 0) {
    // OpenSSL 3 knows TLS 1.1 at this level only.
    SSL_CTX_set_cipher_list(context.get(), "DEFAULT:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), options.max_version);
  }
  EXPECT_EQ(
      SSL_CTX_use_certificate(context.get(), CertificateOf(options.identity.certificate).get()), 1);
  EXPECT_EQ(SSL_CTX_use_PrivateKey(context.get(), KeyOf(options.identity.key).get()), 1);
  if (!options.client_authority.empty()) {
    auto* const store = SSL_CTX_get_cert_store(context.get());
    EXPECT_EQ(X509_STORE_add_cert(store, CertificateOf(options.client_authority).get()), 1);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  if (options.http2) {
    SSL_CTX_set_alpn_select_cb(
        context.get(),
        [](SSL*, unsigned char const** out, unsigned char* out_size, unsigned char const* offered,
           unsigned int size, void*) {
          std::string_view constexpr kOurs("\x2h2\x8http/1.1");
          unsigned char* chosen = nullptr;
          auto const found = SSL_select_next_proto(
              &chosen, out_size, reinterpret_cast<unsigned char const*>(kOurs.data()),
              static_cast<unsigned int>(kOurs.size()), offered, size);
          *out = chosen;
          return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
        },
        nullptr);
  }
  return context;
}

/// OpenSSL between two buffers, which RawConnection fills and empties record by record.
class Connection final : public TlsConnection {
 public:
  Connection(RawConnection& raw, SSL_CTX* context) : raw_(raw), ssl_(SSL_new(context)) {
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
  }

  bool Accept() {
    bool const accepted = Do([this] { return SSL_accept(ssl_.get()); }) > 0;
    // TLS' word on why not has to arrive before a RST for what we leave unread.
    if (!accepted) raw_.FinishSending(), raw_.WaitForClose();
    return accepted;
  }

  std::string ReadHead() override {
    auto end = std::string::npos;
    while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return {};
    }
    return Cut(end + 4);
  }

  std::string ReadBody(std::size_t size) override {
    while (buffer_.size() < size && Fill()) {
    }
    return Cut(std::min(size, buffer_.size()));
  }

  bool Send(std::string_view text) override {
    return Do([&] { return SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())); }) >
           0;
  }

  void Close() override {
    SSL_shutdown(ssl_.get());
    Flush();
    raw_.Close();
  }

  int number() const override { return raw_.number(); }
  std::string version() const override { return SSL_get_version(ssl_.get()); }
  std::string alpn() const override {
    unsigned char const* name = nullptr;
    unsigned int size = 0;
    SSL_get0_alpn_selected(ssl_.get(), &name, &size);
    return {reinterpret_cast<char const*>(name), size};
  }

 private:
  RawConnection& raw_;
  Ssl ssl_;
  BIO* in_ = nullptr;   // ssl_'s
  BIO* out_ = nullptr;  // ssl_'s
  std::string buffer_;

  std::string Cut(std::size_t size) {
    auto text = buffer_.substr(0, size);
    buffer_.erase(0, size);
    return text;
  }

  bool Fill() {
    std::array<char, 16384> chunk{};
    auto const count =
        Do([&] { return SSL_read(ssl_.get(), chunk.data(), static_cast<int>(chunk.size())); });
    if (count > 0) buffer_.append(chunk.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  bool Flush() {
    char* data = nullptr;
    auto const size = BIO_get_mem_data(out_, &data);
    bool const sent = size <= 0 || raw_.Send({data, static_cast<std::size_t>(size)});
    BIO_reset(out_);
    return sent;
  }

  bool FeedRecord() {
    auto record = raw_.ReadBody(kRecordHeader);
    if (record.size() < kRecordHeader) return false;
    auto const byte = [&](std::size_t at) { return static_cast<unsigned char>(record[at]); };
    record += raw_.ReadBody(static_cast<std::size_t>(byte(3) << 8 | byte(4)));
    return BIO_write(in_, record.data(), static_cast<int>(record.size())) > 0;
  }

  template <typename Operation>
  int Do(Operation const& operation) {
    while (true) {
      int const result = operation();
      int const error = SSL_get_error(ssl_.get(), result);
      if (!Flush() || result > 0) return result;
      if (error != SSL_ERROR_WANT_READ || !FeedRecord()) return -1;
    }
  }
};

}  // namespace

RawServer::Script OverTls(TlsOptions options, std::function<void(TlsConnection&)> script) {
  std::shared_ptr<SSL_CTX> const context = MakeContext(options);
  return [context, script = std::move(script)](RawConnection& raw) {
    Connection connection(raw, context.get());
    if (connection.Accept()) script(connection);
  };
}

}  // namespace tus
