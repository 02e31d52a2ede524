package kafka_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	fake "github.com/twmb/franz-go/pkg/kfake"

	"kerf/platform/bus/kafka"
)

// certificate returns one for 127.0.0.1, and who trusts it.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	s := httptest.NewTLSServer(nil)
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, &tls.Config{RootCAs: pool}
}

func TestSigningIn(t *testing.T) {
	for _, mechanism := range []string{kafka.Plain, kafka.ScramSHA256, kafka.ScramSHA512} {
		for _, encrypted := range []bool{false, true} {
			name := mechanism
			options := []fake.Opt{fake.EnableSASL(), fake.Superuser(strings.ToUpper(mechanism), "kerf", "secret")}
			var trust *tls.Config
			if encrypted {
				var serve *tls.Config
				serve, trust = certificate(t)
				name, options = name+" over TLS", append(options, fake.TLS(serve))
			}
			t.Run(name, func(t *testing.T) {
				_, at := cluster(t, options...)
				as := func(password string) *kafka.Bus {
					return newBus(t, at, func(cfg *kafka.Config) {
						cfg.TLS, cfg.SASL = trust, kafka.SASL{Mechanism: mechanism, Username: "kerf", Password: password}
						if password == "wrong" {
							cfg.Timing.Publish = 300 * time.Millisecond
						}
					})
				}
				b := as("secret")
				publish(t, b, event("k", 1))
				take(t, subscribe(t, b, "a"), 1)
				listening := subscribe(t, b, "")
				publish(t, b, event("k", 2))
				take(t, listening, 1)

				if err := as("wrong").Publisher().Publish(topic, event("k", 3)); err == nil {
					t.Error("a wrong password is enough")
				}
			})
		}
	}
}

func TestABrokerThatIsNotTrustedIsNotUsed(t *testing.T) {
	serve, _ := certificate(t)
	_, at := cluster(t, fake.TLS(serve))
	b := newBus(t, at, func(cfg *kafka.Config) {
		cfg.TLS, cfg.Timing.Publish = &tls.Config{RootCAs: x509.NewCertPool()}, 300*time.Millisecond
	})
	var untrusted x509.UnknownAuthorityError
	if err := b.Publisher().Publish(topic, event("k", 1)); !errors.As(err, &untrusted) {
		t.Errorf("error is %v", err)
	}
}

func TestWhatCannotBeUsedIsSaidAtOnce(t *testing.T) {
	for _, c := range []struct {
		cfg  kafka.Config
		want string
	}{
		{kafka.Config{}, "no broker is named"},
		{kafka.Config{Brokers: []string{"localhost"}}, `broker "localhost" is not host:port`},
		{kafka.Config{Brokers: []string{"localhost:9092"}, SASL: kafka.SASL{Mechanism: "kerberos"}}, `SASL mechanism "kerberos" is not known`},
		{kafka.Config{Brokers: []string{"localhost:9092"}, Partitions: -1}, "may not be negative"},
	} {
		if _, err := kafka.New(c.cfg, nil, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.cfg, err)
		}
	}
}
