package keeper

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestOperateOfZooCfg(t *testing.T) {
	f := func(lines string, want Operate) {
		t.Helper()
		c, warnings, err := ParseZooCfg([]byte("dataDir=/d\n" + lines))
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%s: %v, %q", lines, err, warnings)
		}
		c.Operate.Source = ""
		if !reflect.DeepEqual(c.Operate, want) {
			t.Errorf("%s:\n%+v\nwant\n%+v", lines, c.Operate, want)
		}
	}
	f("", Operate{Admin: Admin{Listen: ":8080", Lenient: true, Interval: 5 * time.Minute}})
	f("admin.enableServer=false\nadmin.serverPort=1\n", Operate{Admin: Admin{Interval: 5 * time.Minute}})
	f("metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider\nadmin.serverAddress=::1\n",
		Operate{Admin: Admin{Listen: "[::1]:8080", Lenient: true, Interval: 5 * time.Minute}, Prometheus: Prometheus{Listen: ":7000"}})
	f(`
zookeeper.admin.serverPort=9000
admin.serverAddress=127.0.0.1
admin.commandURL=/c
admin.idleTimeout=7
admin.snapshot.enabled=false
admin.restore.enabled=false
admin.rateLimiterIntervalInMS=0
metricsProvider.httpPort=7001
metricsProvider.httpHost=127.0.0.2
metricsProvider.exportJvmInfo=false
metricsProvider.maxQueueSize=5
metricsProvider.className=org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider
audit.enable=true
audit.impl.class=org.apache.zookeeper.audit.Slf4jAuditLogger
gregor.audit.file=/a
`, Operate{
		Admin:      Admin{Listen: "127.0.0.1:9000", URL: "/c", IdleTimeout: 7 * time.Millisecond, NoSnapshot: true, NoRestore: true},
		Prometheus: Prometheus{Listen: "127.0.0.2:7001", NoRuntime: true},
		Audit:      Audit{Enable: true, File: "/a"},
	})
}

func TestOperateRulesOfZooCfg(t *testing.T) {
	for line, rule := range map[string]string{
		"admin.enableServer=yes":               "true or false",
		"admin.serverPort=x":                   "must be a port",
		"admin.commandURL=/":                   "must be a path",
		"admin.rateLimiterIntervalInMS=-1":     "milliseconds",
		"admin.forceHttps=true":                "ssl.quorum.keyStore.location",
		"metricsProvider.className=my.Metrics": "PrometheusMetricsProvider serves",
		"metricsProvider.maxQueueSize=x":       "whole number",
		"audit.impl.class=my.Audit":            "gregor.audit.file",
	} {
		if _, _, err := ParseZooCfg([]byte("dataDir=/d\n" + line + "\n")); err == nil || !strings.Contains(err.Error(), rule) {
			t.Errorf("%s: %v, want %q", line, err, rule)
		}
	}
}

func TestSourceHasNoPasswords(t *testing.T) {
	c, _, err := ParseZooCfg([]byte("# mine\ndataDir=/d\nssl.keyStore.password=secret\nmax=1\n"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Operate.Source != "# mine\ndataDir=/d\nssl.keyStore.password=...\nmax=1\n" {
		t.Errorf("source %q", c.Operate.Source)
	}
	k := &Keeper{cfg: c}
	var names []string
	for _, f := range k.tellProperties() {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, " "); got != "os.arch os.name zookeeper.dataDir zookeeper.max zookeeper.ssl.keyStore.password" {
		t.Errorf("properties: %s", got)
	}
}
