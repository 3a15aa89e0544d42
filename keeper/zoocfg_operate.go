package keeper

import (
	"cmp"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// operateFile is what the properties of Operate are until all are read.
type operateFile struct {
	noAdmin              bool
	interval             *time.Duration // nil for the default
	adminPort, adminHost string
	provider             string
	metricsPort          string
	metricsHost          string
}

// ZooKeeper's defaults.
const (
	defaultAdminPort   = "8080"
	defaultMetricsPort = "7000"
	defaultInterval    = 5 * time.Minute
	prometheusProvider = "org.apache.zookeeper.metrics.prometheus.PrometheusMetricsProvider"
)

// operateKeys are the properties of Operate.
var operateKeys = map[string]zooKey{
	"admin.enableServer":            {negated(func(c *zooFile) *bool { return &c.noAdmin })},
	"admin.serverPort":              {port0(func(c *zooFile) *string { return &c.adminPort })},
	"admin.serverAddress":           {text(func(c *zooFile) *string { return &c.adminHost })},
	"admin.commandURL":              {setCommandURL},
	"admin.idleTimeout":             {millis(func(c *zooFile) *time.Duration { return &c.Operate.Admin.IdleTimeout })},
	"admin.portUnification":         {boolean(func(c *zooFile) *bool { return &c.Operate.Admin.UnifyTLS })},
	"admin.forceHttps":              {boolean(func(c *zooFile) *bool { return &c.Operate.Admin.ForceTLS })},
	"admin.needClientAuth":          {boolean(func(c *zooFile) *bool { return &c.Operate.Admin.NeedClientAuth })},
	"admin.snapshot.enabled":        {negated(func(c *zooFile) *bool { return &c.Operate.Admin.NoSnapshot })},
	"admin.restore.enabled":         {negated(func(c *zooFile) *bool { return &c.Operate.Admin.NoRestore })},
	"admin.rateLimiterIntervalInMS": {setInterval},
	"admin.httpVersion":             {only("11", "HTTP 1.1 is what is spoken")},

	"metricsProvider.className":               {setMetricsProvider},
	"metricsProvider.httpPort":                {port0(func(c *zooFile) *string { return &c.metricsPort })},
	"metricsProvider.httpHost":                {text(func(c *zooFile) *string { return &c.metricsHost })},
	"metricsProvider.exportJvmInfo":           {negated(func(c *zooFile) *bool { return &c.Operate.Prometheus.NoRuntime })},
	"metricsProvider.numWorkerThreads":        {anyNumber},
	"metricsProvider.maxQueueSize":            {anyNumber},
	"metricsProvider.workerShutdownTimeoutMs": {anyNumber},

	"audit.enable":      {boolean(func(c *zooFile) *bool { return &c.Operate.Audit.Enable })},
	"audit.impl.class":  {setAuditClass},
	"gregor.audit.file": {text(func(c *zooFile) *string { return &c.Operate.Audit.File })},
}

// negated is boolean for a field that means the opposite.
func negated(field func(*zooFile) *bool) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		var on bool
		rule := boolean(func(*zooFile) *bool { return &on })(c, v)
		*field(c) = !on
		return rule
	}
}

// port0 takes a port, 0 for any that is free.
func port0(field func(*zooFile) *string) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		if _, err := strconv.ParseUint(v, 10, 16); err != nil {
			return "must be a port, 0 to 65535"
		}
		*field(c) = v
		return ""
	}
}

func setCommandURL(c *zooFile, v string) string {
	if !strings.HasPrefix(v, "/") || strings.Trim(v, "/") == "" {
		return "must be a path such as /commands"
	}
	c.Operate.Admin.URL = v
	return ""
}

func setInterval(c *zooFile, v string) string {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return "must be a whole number of milliseconds, 0 for no limit"
	}
	c.interval = new(time.Duration(n) * time.Millisecond)
	return ""
}

func setMetricsProvider(c *zooFile, v string) string {
	switch v {
	case prometheusProvider, "org.apache.zookeeper.metrics.impl.DefaultMetricsProvider", "org.apache.zookeeper.metrics.impl.NullMetricsProvider":
		c.provider = v
		return ""
	}
	return "there is no such provider here; " + prometheusProvider + " serves metrics over HTTP"
}

// anyNumber accepts what tunes threads that gregor has no need of.
func anyNumber(_ *zooFile, v string) string {
	if _, err := strconv.ParseInt(v, 10, 32); err != nil {
		return "must be a whole number"
	}
	return ""
}

func setAuditClass(_ *zooFile, v string) string {
	switch v {
	case "org.apache.zookeeper.audit.Slf4jAuditLogger", "org.apache.zookeeper.audit.Log4jAuditLogger":
		return ""
	}
	return "there is no such class here; without it lines go to the log, or to gregor.audit.file"
}

// finishOperate settles what depends on several properties.
func (c *zooFile) finishOperate(src []byte) {
	o := &c.Operate
	if o.Admin.Interval = defaultInterval; c.interval != nil {
		o.Admin.Interval = *c.interval
	}
	if !c.noAdmin {
		o.Admin.Lenient = c.adminPort == ""
		o.Admin.Listen = net.JoinHostPort(c.adminHost, cmp.Or(c.adminPort, defaultAdminPort))
	}
	if c.provider == prometheusProvider {
		o.Prometheus.Listen = net.JoinHostPort(c.metricsHost, cmp.Or(c.metricsPort, defaultMetricsPort))
	}
	for line := range strings.Lines(string(src)) {
		name, value := splitProperty(strings.TrimSpace(line))
		if secret := shown(name, value); secret != value {
			line = fmt.Sprintf("%s=%s\n", name, secret)
		}
		o.Source += line
	}
}
