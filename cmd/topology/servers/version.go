package servers

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
)

// Version is that of an installed server, without starting it; "" if it cannot be told. Kfake's is that of its module.
func Version(ctx context.Context, name string) string {
	switch name {
	case Kafka:
		if installed, err := findKafka(); err == nil {
			return versionIn(filepath.Join(installed.folder, "libs", "kafka_2.13-*.jar"), "kafka_2.13-", ".jar")
		}
	case RabbitMQ:
		if installed, err := findRabbitMQ(); err == nil {
			// A package has lib/rabbitmq_server-VERSION beside bin; an archive is unpacked to such a folder, with sbin in it.
			home := filepath.Dir(filepath.Dir(installed.server))
			if _, version, ok := strings.Cut(filepath.Base(home), "rabbitmq_server-"); ok {
				return version
			}
			return versionIn(filepath.Join(home, "lib", "rabbitmq_server-*"), "rabbitmq_server-", "")
		}
	case Postgres:
		if installed, err := findPostgres(); err == nil {
			out, err := exec.CommandContext(ctx, installed.server, "--version").Output()
			if fields := strings.Fields(string(out)); err == nil && len(fields) > 2 { // postgres (PostgreSQL) 15.18 (Debian …)
				return fields[2]
			}
		}
	}
	return ""
}

// versionIn is what stands between a prefix and a suffix in the name of a file that matches a pattern, the last one if there are several.
func versionIn(pattern, prefix, suffix string) string {
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		return ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[len(found)-1]), prefix), suffix)
}
