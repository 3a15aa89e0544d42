package proc

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gregor-mq/gregor/test/port"
)

// Apache is Apache Kafka with its ZooKeeper: two processes.
type Apache struct {
	broker
	keeper     *process
	keeperAddr string
	launchZK   func() (*process, error)
}

// performance are the flags that kafka-run-class.sh gives every JVM.
var performance = []string{"-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
	"-XX:+ExplicitGCInvokesConcurrent", "-XX:MaxInlineLevel=15", "-Djava.awt.headless=true"}

// management are its flags for JMX.
var management = []string{"-Dcom.sun.management.jmxremote=true", "-Dcom.sun.management.jmxremote.authenticate=false",
	"-Dcom.sun.management.jmxremote.ssl=false"}

// java is the command line of a start script: the heap that the script sets,
// then what kafka-run-class.sh adds.
func java(dir, name, heap, classpath, main, properties string) []string {
	argv := append([]string{"java", "-Xmx" + heap, "-Xms" + heap}, performance...)
	argv = append(argv, "-Xlog:gc*:file="+filepath.Join(dir, name+"-gc.log")+":time,tags:filecount=10,filesize=100M")
	argv = append(argv, management...)
	return append(argv, "-Dkafka.logs.dir="+dir, "-Dlog4j.configuration=file:"+filepath.Join(dir, "log4j.properties"),
		"-cp", classpath, main, properties)
}

// NewApache prepares Kafka and ZooKeeper in a fresh directory below parent.
// The jars are those of FetchJars.
func NewApache(jars, parent string) (*Apache, error) {
	dir, err := os.MkdirTemp(parent, "apache-")
	if err != nil {
		return nil, err
	}
	a := &Apache{broker: broker{dir: dir}}
	p, err := port.Free()
	if err != nil {
		return nil, err
	}
	zkPort, err := port.Free()
	if err != nil {
		return nil, err
	}
	a.addr, a.keeperAddr = port.Loopback(p), port.Loopback(zkPort)
	zk, kafka := filepath.Join(dir, "zookeeper.properties"), filepath.Join(dir, "server.properties")
	// Kafka's config/zookeeper.properties.
	err = writeProperties(zk, "dataDir="+filepath.Join(dir, "zookeeper"), fmt.Sprintf("clientPort=%d", zkPort),
		"maxClientCnxns=0", "admin.enableServer=false")
	if err != nil {
		return nil, err
	}
	err = writeProperties(kafka, append(slices.Clone(samples), "listeners=PLAINTEXT://"+a.addr,
		"log.dirs="+filepath.Join(dir, "logs"), "zookeeper.connect="+a.keeperAddr)...)
	if err != nil {
		return nil, err
	}
	if err := writeProperties(filepath.Join(dir, "log4j.properties"), log4j...); err != nil {
		return nil, err
	}
	classpath := filepath.Join(jars, "*")
	a.launchZK = func() (*process, error) {
		return start(dir, "zookeeper", nil, java(dir, "zookeeper", "512M", classpath,
			"org.apache.zookeeper.server.quorum.QuorumPeerMain", zk)...)
	}
	a.launch = func() (*process, error) {
		return start(dir, "kafka", nil, java(dir, "kafkaServer", "1G", classpath, "kafka.Kafka", kafka)...)
	}
	return a, nil
}

// Name implements Server.
func (a *Apache) Name() string { return "Apache Kafka " + KafkaVersion }

// Debug implements Server.
func (a *Apache) Debug() string { return "" }

// Start implements Server: ZooKeeper first where it does not run, then Kafka
// as soon as ZooKeeper accepts a connection.
func (a *Apache) Start(ctx context.Context, ready func(ctx context.Context, addr string) error) (time.Duration, error) {
	began := time.Now()
	if a.keeper == nil || a.keeper.ended() {
		p, err := a.launchZK()
		if err != nil {
			return 0, err
		}
		a.keeper = p
		if err := a.awaitKeeper(ctx); err != nil {
			return 0, err
		}
	}
	if _, err := a.broker.Start(ctx, ready); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

func (a *Apache) awaitKeeper(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		nc, err := net.DialTimeout("tcp", a.keeperAddr, time.Second)
		if err == nil {
			return nc.Close()
		}
		select {
		case <-a.keeper.done:
			return fmt.Errorf("zookeeper ended: %w\n%s", a.keeper.err, a.keeper.tail())
		case <-ctx.Done():
			return fmt.Errorf("zookeeper is not ready: %w", err)
		case <-tick.C:
		}
	}
}

// Usage implements Server.
func (a *Apache) Usage() (Usage, error) {
	k, err := usageOf(a.process.cmd.Process.Pid)
	if err != nil {
		return Usage{}, err
	}
	z, err := usageOf(a.keeper.cmd.Process.Pid)
	return k.plus(z), err
}

// Close implements Server.
func (a *Apache) Close() error {
	a.process.kill()
	a.keeper.kill()
	return os.RemoveAll(a.dir)
}
