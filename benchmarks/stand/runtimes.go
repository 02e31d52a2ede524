package stand

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/status"
	"kerf/platform/config"
)

// runtimes tells how Go, and Kafka's Java, run the processes: as they say themselves in their metrics, whatever set it.
func (sh *sheet) runtimes(ctx context.Context) {
	transport, scheme := &http.Transport{DisableKeepAlives: true}, "http"
	if sh.now.CA != "" {
		pool := x509.NewCertPool()
		if pem, err := os.ReadFile(sh.now.CA); err == nil {
			pool.AppendCertsFromPEM(pem)
		}
		transport.TLSClientConfig, scheme = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}, "https"
	}
	client := &http.Client{Transport: transport}
	metrics := map[string]map[string]float64{}
	for _, p := range sh.now.Processes {
		metrics[p.Name] = metricsOf(ctx, client, scheme+"://"+p.Internal+"/metrics")
	}
	for _, f := range []struct{ fact, metric string }{
		{"GOMAXPROCS", "go_sched_gomaxprocs_threads"}, {"GOGC", "go_gc_gogc_percent"}, {"GOMEMLIMIT", "go_gc_gomemlimit_bytes"},
	} {
		sh.each(f.fact, func(p status.Process, _ config.Config) string {
			value, known := metrics[p.Name][f.metric]
			switch {
			case !known:
				return "unknown"
			case value >= math.MaxInt64:
				return "none"
			}
			return strconv.FormatFloat(value, 'f', -1, 64)
		})
	}
	if at := slices.IndexFunc(sh.now.Servers, func(s status.Server) bool { return s.Name == servers.Kafka }); at >= 0 {
		if set := javaSettings(sh.now.Servers[at].PID); set != "" {
			sh.facts["Java of the broker"] = set
		}
	}
}

// metricsOf are those of a process's metrics that have no label; none if it does not answer.
func metricsOf(ctx context.Context, client *http.Client, url string) map[string]float64 {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil
	}
	response, err := client.Do(request)
	if err != nil {
		return nil
	}
	defer func() { _ = response.Body.Close() }()
	values := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			values[name] = value
		}
	}
	return values
}

// javaSettings are the arguments by which a Java program was given memory and a collector; "" where the system does not tell.
func javaSettings(pid int) string {
	content, err := os.ReadFile(filepath.Join("/proc", fmt.Sprint(pid), "cmdline"))
	if err != nil {
		return ""
	}
	var set []string
	for argument := range strings.SplitSeq(string(content), "\x00") {
		if strings.HasPrefix(argument, "-Xm") || strings.HasPrefix(argument, "-XX:+Use") {
			set = append(set, argument)
		}
	}
	return strings.Join(set, " ")
}
