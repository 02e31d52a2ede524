package config

import (
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kerf/platform/clock"
	"kerf/platform/telemetry"
)

// maxDrain bounds how long an operator can be made to wait for the end.
const maxDrain = 5 * time.Minute

// validate reports what is wrong with the values as a whole, by key.
func (l *loader) validate() {
	l.validateModules()
	l.validateRemotes()
	l.validateListeners()
	l.validateBus()
	l.validateDatabase()
	l.validateTime()
	l.validateIdentity()
	cfg := l.cfg
	l.choice(cfg.Placement, "placement", Placements)
	l.check(cfg.Data != "", "data", "is empty")
	l.check(cfg.Installation == "" || installationID.MatchString(cfg.Installation), "installation", "want 1 to 64 letters, digits and hyphens")
	l.check(!cfg.Demo || l.edgeHere(), "demo", "the demo city needs the public API in this process")
	l.check(cfg.Drain > 0 && cfg.Drain <= maxDrain, "drain", "want more than 0s and at most "+maxDrain.String())
	l.choice(cfg.Log.Level, "log.level", telemetry.Levels)
	l.choice(cfg.Log.Format, "log.format", telemetry.Formats)
	l.choice(cfg.Telemetry.Traces, "telemetry.traces", telemetry.Exporters)
	l.check(isURL(cfg.Telemetry.Endpoint, "http", "https"), "telemetry.endpoint", "want a URL such as http://127.0.0.1:4317")
	l.check(cfg.Telemetry.File != "", "telemetry.file", "is empty")
	l.check(cfg.Telemetry.Sample >= 0 && cfg.Telemetry.Sample <= 1, "telemetry.sample", "want 0 to 1")
}

var installationID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// validateListeners looks at the addresses that this process opens.
func (l *loader) validateListeners() {
	cfg := l.cfg
	if l.edgeHere() {
		l.check(isAddress(cfg.Listen), "listen", "want host:port")
		l.check(!sameAddress(cfg.Listen, cfg.Internal.Listen), "internal.listen", "is the address of listen")
	} else {
		l.unused("listen", l.cmd.Modules.Edge+" is not placed here")
	}
	l.choice(cfg.Internal.Protocol, "internal.protocol", Protocols)
	if !isAddress(cfg.Internal.Listen) {
		l.complain("%s: want host:port", l.where("internal.listen"))
	} else {
		l.check(cfg.Internal.TLS.On() || isLoopback(cfg.Internal.Listen), "internal.listen",
			"without internal.tls only a loopback address, since whoever reaches it is believed")
	}
	l.files("internal.tls.", cfg.Internal.TLS.On(), []pem{{"cert", cfg.Internal.TLS.Cert}, {"key", cfg.Internal.TLS.Key}, {"ca", cfg.Internal.TLS.CA}})
}

// validateTime looks at the domain clock.
func (l *loader) validateTime() {
	cfg := l.cfg
	l.check(cfg.Speed >= 0 && cfg.Speed <= clock.MaxSpeed, "speed", "want 0 to "+strconv.Itoa(clock.MaxSpeed))
	l.check(cfg.Clock.URL == "" || isURL(cfg.Clock.URL, "http", "https"), "clock.url", "want a URL such as http://127.0.0.1:8080/v1/clock")
	l.check(cfg.Clock.File == "" || cfg.Clock.URL == "", "clock.url", "is not needed beside clock.file")
	l.check(l.edgeHere() || cfg.Clock != Clock{} || cfg.Speed == 0 || cfg.Speed == 1, "speed",
		"other than 1 needs clock.file or clock.url: "+l.cmd.Modules.Edge+", which keeps the domain clock, is not placed here")
}

func (l *loader) validateIdentity() {
	id := l.cfg.Identity
	l.check(id.Issuer != "", "identity.issuer", "is empty")
	l.check(id.Audience != "", "identity.audience", "is empty")
	if id.JWKS == "" {
		return
	}
	// Whoever can change the answer on its way can make any token.
	onTheWay := isURL(id.JWKS, "https") || isURL(id.JWKS, "http") && isLoopback(hostOf(id.JWKS))
	l.check(onTheWay, "identity.jwks", "want a URL such as https://issuer.example/.well-known/jwks.json; http only on this machine")
	l.unused("identity.keys", "identity.jwks is set")
	l.check(!id.LocalIssuer, "identity.local_issuer", "its tokens are not those of identity.jwks")
}

// check complains of a key unless ok.
func (l *loader) check(ok bool, key, problem string) {
	if !ok {
		l.complain("%s: %s", l.where(key), problem)
	}
}

func (l *loader) choice(value, key string, allowed []string) {
	l.check(!outside(value, allowed), key, oneOf(allowed))
}

// unused complains of a key, or of the keys below a section that ends in a dot, if they
// are set though they change nothing.
func (l *loader) unused(key, why string) {
	for _, template := range l.templates {
		if template == key || strings.HasSuffix(key, ".") && strings.HasPrefix(template, key) {
			l.check(!l.isSet(template), template, "is not used: "+why)
		}
	}
}

// pem is a key below a section, and the file that it names.
type pem struct{ key, path string }

// files complains of those that are missing or cannot be read, if any are wanted.
func (l *loader) files(section string, wanted bool, files []pem) {
	if !wanted {
		return
	}
	for _, f := range files {
		if f.path == "" {
			l.complain("%s: is missing", l.where(section+f.key))
			continue
		}
		opened, err := os.Open(f.path)
		if err != nil {
			l.complain("%s: the file cannot be read: %s", l.where(section+f.key), reason(err))
			continue
		}
		_ = opened.Close() // was only read
	}
}

func isAddress(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	_, err = strconv.ParseUint(port, 10, 16)
	return err == nil
}

func sameAddress(a, b string) bool {
	_, port, _ := net.SplitHostPort(a)
	return a == b && port != "0"
}

// isLoopback tells whether host:port is on this machine alone.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

func isURL(text string, schemes ...string) bool {
	u, err := url.Parse(text)
	return err == nil && !outside(u.Scheme, schemes) && u.Host != ""
}

// hostOf gives host:port of a URL.
func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), "0")
	}
	return u.Host
}
