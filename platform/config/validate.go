package config

import (
	"net"
	"net/url"
	"strconv"
	"time"

	"kerf/platform/clock"
	"kerf/platform/telemetry"
)

// maxDrain bounds how long an operator can be made to wait for the end.
const maxDrain = 5 * time.Minute

// validate reports what is wrong with the values as a whole, by key.
func (l *loader) validate() {
	cfg := l.cfg
	check := func(ok bool, key, problem string) {
		if !ok {
			l.complain("%s: %s", l.where(key), problem)
		}
	}
	choice := func(value, key string, allowed []string) {
		check(!outside(value, allowed), key, oneOf(allowed))
	}
	check(isAddress(cfg.Listen), "listen", "want host:port")
	check(isAddress(cfg.Internal.Listen), "internal.listen", "want host:port")
	check(!sameAddress(cfg.Listen, cfg.Internal.Listen), "internal.listen", "is the address of listen")
	choice(cfg.Placement, "placement", Placements)
	check(cfg.Data != "", "data", "is empty")
	choice(cfg.Bus.Driver, "bus.driver", Buses)
	choice(cfg.Database.Driver, "database.driver", Databases)
	check(cfg.Speed >= 0 && cfg.Speed <= clock.MaxSpeed, "speed", "want 0 to "+strconv.Itoa(clock.MaxSpeed))
	check(cfg.Drain > 0 && cfg.Drain <= maxDrain, "drain", "want more than 0s and at most "+maxDrain.String())
	choice(cfg.Log.Level, "log.level", telemetry.Levels)
	choice(cfg.Log.Format, "log.format", telemetry.Formats)
	choice(cfg.Telemetry.Traces, "telemetry.traces", telemetry.Exporters)
	check(isURL(cfg.Telemetry.Endpoint), "telemetry.endpoint", "want a URL such as http://127.0.0.1:4317")
	check(cfg.Telemetry.File != "", "telemetry.file", "is empty")
	check(cfg.Telemetry.Sample >= 0 && cfg.Telemetry.Sample <= 1, "telemetry.sample", "want 0 to 1")
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

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}
