package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/supervise"
)

// kafkaInstalled is where Apache Kafka and a Java that can run it are.
type kafkaInstalled struct{ folder, java string }

const kafkaRemedy = "run deploy/kafka/fetch, or say with KAFKA_HOME where it is, or let kfake stand in for it (-kfake)"

// findKafka looks for Apache Kafka where KAFKA_HOME says, else where deploy/kafka/fetch put the newest.
func findKafka() (kafkaInstalled, error) {
	folder := os.Getenv("KAFKA_HOME")
	if folder == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		folder = newest(filepath.Join(cache, "kerf", "kafka-*"))
	}
	if jars, _ := filepath.Glob(filepath.Join(folder, "libs", "kafka_2.13-*.jar")); folder == "" || len(jars) == 0 {
		lacks := "no fetched Apache Kafka was found"
		if folder != "" {
			lacks = folder + " holds no libs/kafka_2.13-*.jar"
		}
		return kafkaInstalled{}, &MissingError{Server: Kafka, Lacks: lacks, Remedy: kafkaRemedy}
	}
	java := firstOf([]string{filepath.Join(os.Getenv("JAVA_HOME"), "bin", "java")}, "java")
	if java == "" || javaVersion(java) < 17 {
		return kafkaInstalled{}, &MissingError{Server: Kafka, Lacks: "it needs Java 17 or newer on PATH or in JAVA_HOME",
			Remedy: "install it (Debian: openjdk-17-jre-headless), or let kfake stand in (-kfake)"}
	}
	return kafkaInstalled{folder, java}, nil
}

var digits = regexp.MustCompile(`\d+`)

// newest returns the folder whose name has the highest version, "" if none matches.
func newest(pattern string) string {
	found, _ := filepath.Glob(pattern)
	// A fetch that goes on has a name with another extension, which a version is not.
	found = slices.DeleteFunc(found, func(folder string) bool {
		_, version, _ := strings.Cut(filepath.Base(folder), "-")
		return strings.Trim(version, "0123456789.") != ""
	})
	if len(found) == 0 {
		return ""
	}
	return slices.MaxFunc(found, func(a, b string) int {
		return slices.CompareFunc(digits.FindAllString(filepath.Base(a), -1), digits.FindAllString(filepath.Base(b), -1), func(x, y string) int {
			m, _ := strconv.Atoi(x)
			n, _ := strconv.Atoi(y)
			return m - n
		})
	})
}

// javaVersion is the major version, 0 if it cannot be told.
func javaVersion(java string) int {
	out, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(out), ` version "`)
	major, _ := strconv.Atoi(digits.FindString(after))
	return major
}

func newKafka(ctx context.Context, o Options) (*Server, error) {
	installed, err := findKafka()
	if err != nil {
		return nil, err
	}
	taken, err := o.take(ctx, 2)
	if err != nil {
		return nil, err
	}
	address, controller := ports.Address(taken[0]), ports.Address(taken[1])
	properties, log := filepath.Join(o.Dir, "server.properties"), filepath.Join(o.Dir, "log")
	classes := filepath.Join(installed.folder, "libs", "*")
	return &Server{
		Name:    Kafka,
		Address: address,
		Prepare: func(ctx context.Context) error {
			if err := os.MkdirAll(o.Dir, 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(properties, []byte(kafkaProperties(address, controller, log)), 0o600); err != nil {
				return err
			}
			if _, err := os.Stat(filepath.Join(log, "meta.properties")); err == nil {
				return nil
			}
			cmd := exec.CommandContext(ctx, installed.java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-cp", classes,
				"kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", clusterID, "-c", properties)
			return run(cmd)
		},
		Programs: []supervise.Spec{{
			Name: Kafka,
			Command: func() *exec.Cmd {
				o.Ports.Release(taken[0])
				o.Ports.Release(taken[1])
				cmd := exec.Command(installed.java, "-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true",
					"-Dlog4j2.configurationFile="+filepath.Join(installed.folder, "log4j2.xml"), "-cp", classes, "kafka.Kafka", properties)
				cmd.Dir = o.Dir
				cmd.Env = environment("KAFKA_")
				return cmd
			},
			Output: o.Output,
			Ready:  func(ctx context.Context) error { return kafkaAnswers(ctx, address) },
			Grace:  20 * time.Second,
		}},
	}, nil
}

// clusterID names the cluster: 22 characters of base64url, the same wherever it is made.
const clusterID = "kerf-kerf-kerf-kerf-ke"

// kafkaProperties is one broker that is its own controller. Everything that is replicated has one copy, topics are made by whoever uses them, and
// groups may be as nimble as tests want. One that was killed waits until its own former session has ended, which is short here.
func kafkaProperties(address, controller, log string) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@%[2]s
listeners=PLAINTEXT://%[1]s,CONTROLLER://%[2]s
advertised.listeners=PLAINTEXT://%[1]s
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=%[3]s
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=2097152
log.index.size.max.bytes=1048576
`, address, controller, log)
}

// kafkaAnswers asks a broker for its metadata, on a connection of its own.
func kafkaAnswers(ctx context.Context, address string) error {
	transport := &kafka.Transport{Dial: (&net.Dialer{}).DialContext}
	defer transport.CloseIdleConnections()
	client := &kafka.Client{Addr: kafka.TCP(address), Timeout: 2 * time.Second, Transport: transport}
	answer, err := client.Metadata(ctx, &kafka.MetadataRequest{})
	if err == nil && len(answer.Brokers) == 0 {
		err = errors.New("it has no broker yet")
	}
	return err
}
