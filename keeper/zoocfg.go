package keeper

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// zooKey is one property of zoo.cfg that the keeper knows.
type zooKey struct {
	// set takes the value over, or returns the rule that it breaks.
	set func(c *zooFile, value string) (rule string)
}

// zooFile is a configuration while it is read.
type zooFile struct {
	Config
	port, host string
	securityFile
	ensembleFile
	operateFile
	number int // myid
}

// zooKeys are the properties with a meaning here.
var zooKeys = map[string]zooKey{
	"dataDir":           {text(func(c *zooFile) *string { return &c.DataDir })},
	"dataLogDir":        {text(func(c *zooFile) *string { return &c.DataLogDir })},
	"clientPort":        {setPort},
	"clientPortAddress": {text(func(c *zooFile) *string { return &c.host })},
	"tickTime":          {millis(func(c *zooFile) *time.Duration { return &c.TickTime })},
	"minSessionTimeout": {timeout(func(c *zooFile) *time.Duration { return &c.MinSessionTimeout })},
	"maxSessionTimeout": {timeout(func(c *zooFile) *time.Duration { return &c.MaxSessionTimeout })},
	"maxClientCnxns":    {setMaxClients},
	"snapCount":         {number(2, func(c *zooFile) *int { return &c.SnapCount })},
	"jute.maxbuffer":    {number(1<<10, func(c *zooFile) *int { return &c.JuteMaxBuffer })},

	"4lw.commands.whitelist":                   {setWords},
	"autopurge.snapRetainCount":                {number(1, func(c *zooFile) *int { return &c.SnapRetain })},
	"autopurge.purgeInterval":                  {setPurge},
	"extendedTypesEnabled":                     {boolean(func(c *zooFile) *bool { return &c.ExtendedTypes })},
	"gregor.keeper.emulate":                    {setEmulate},
	"enforceQuota":                             {boolean(func(c *zooFile) *bool { return &c.EnforceQuota })},
	"znode.container.checkIntervalMs":          {millis(func(c *zooFile) *time.Duration { return &c.ReapInterval })},
	"znode.container.maxPerMinute":             {number(1, func(c *zooFile) *int { return &c.ReapPerMinute })},
	"DigestAuthenticationProvider.superDigest": {text(func(c *zooFile) *string { return &c.SuperDigest })},
}

func text(field func(*zooFile) *string) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		if v == "" {
			return "must not be empty"
		}
		*field(c) = v
		return ""
	}
}

func number(least int, field func(*zooFile) *int) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || int(n) < least {
			return fmt.Sprintf("must be a whole number of at least %d", least)
		}
		*field(c) = int(n)
		return ""
	}
}

func millis(field func(*zooFile) *time.Duration) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 1 {
			return "must be a whole number of milliseconds above 0"
		}
		*field(c) = time.Duration(n) * time.Millisecond
		return ""
	}
}

// timeout is millis with -1 for the default.
func timeout(field func(*zooFile) *time.Duration) func(*zooFile, string) string {
	set := millis(field)
	return func(c *zooFile, v string) string {
		if v == "-1" {
			*field(c) = 0
			return ""
		}
		return set(c, v)
	}
}

func boolean(field func(*zooFile) *bool) func(*zooFile, string) string {
	return func(c *zooFile, v string) string {
		switch strings.ToLower(v) {
		case "true", "false":
			*field(c) = strings.EqualFold(v, "true")
			return ""
		}
		return "must be true or false"
	}
}

func setPort(c *zooFile, v string) string {
	if n, err := strconv.ParseUint(v, 10, 16); err != nil || n == 0 {
		return "must be a port, 1 to 65535"
	}
	c.port = v
	return ""
}

// setMaxClients: ZooKeeper's 0 is no bound.
func setMaxClients(c *zooFile, v string) string {
	n, err := strconv.ParseUint(v, 10, 31)
	if err != nil {
		return "must be a whole number, 0 for no bound"
	}
	c.MaxClientCnxns = int(n)
	if n == 0 {
		c.MaxClientCnxns = -1
	}
	return ""
}

func setWords(c *zooFile, v string) string {
	c.FourLetterWords = []string{}
	for w := range strings.SplitSeq(v, ",") {
		w = strings.TrimSpace(w)
		if w != "" && w != "*" && !knownWord(w) {
			return fmt.Sprintf("%q is no four-letter word", w)
		}
		if w != "" {
			c.FourLetterWords = append(c.FourLetterWords, w)
		}
	}
	return ""
}

func setEmulate(c *zooFile, v string) string {
	if checkEmulate(v) != nil || v == "" {
		return "must be 3.9 or 3.8"
	}
	c.Emulate = v
	return ""
}

// setPurge accepts any interval: the keeper purges after every snapshot.
func setPurge(_ *zooFile, v string) string {
	if _, err := strconv.ParseUint(v, 10, 31); err != nil {
		return "must be a whole number of hours"
	}
	return ""
}

// unserved are properties that must not be ignored: a server that goes on
// without them is not the one that was asked for.
var unserved = map[string]string{
	"group":  "majorities of groups are not served: every participant has one vote",
	"weight": "weights of votes are not served: every participant has one vote",
}

// firstName is a property's name up to its number: server of server.1.
func firstName(name string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(name, "zookeeper."), ".")
	return first
}

// ParseZooCfg reads the properties of a zoo.cfg, and no other file. A property that
// has no meaning here becomes a warning, a value that cannot be used an error that
// names it.
func ParseZooCfg(src []byte) (Config, []string, error) {
	f, warnings, err := parseZooCfg(src)
	if err != nil {
		return Config{}, nil, fmt.Errorf("zoo.cfg: %w", err)
	}
	return f.Config, warnings, nil
}

func parseZooCfg(src []byte) (f *zooFile, warnings []string, err error) {
	f = &zooFile{}
	for line := range strings.Lines(string(src)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == '!' {
			continue
		}
		name, value := splitProperty(line)
		known, ok := zooKeys[strings.TrimPrefix(name, "zookeeper.")]
		if rule, unsafe := unserved[firstName(name)]; unsafe {
			return nil, nil, fmt.Errorf("%s=%s: %s", name, value, rule)
		}
		if !ok {
			known, ok = securityKey(strings.TrimPrefix(name, "zookeeper."))
		}
		if !ok {
			known, ok = operateKeys[strings.TrimPrefix(name, "zookeeper.")]
		}
		if !ok {
			known, ok = ensembleKey(strings.TrimPrefix(name, "zookeeper."))
		}
		if !ok {
			warnings = append(warnings, fmt.Sprintf("%s=%s has no meaning for gregor's keeper and is ignored", name, shown(name, value)))
			continue
		}
		if rule := known.set(f, value); rule != "" {
			return nil, nil, fmt.Errorf("%s=%s: %s", name, value, rule)
		}
	}
	if f.port != "" {
		f.Listen = []string{net.JoinHostPort(f.host, f.port)}
	} else if f.host != "" {
		return nil, nil, fmt.Errorf("clientPortAddress=%s: needs clientPort", f.host)
	}
	if err := f.finishSecurity(); err != nil {
		return nil, nil, err
	}
	f.Member = uint64(f.number)
	f.finishOperate(src)
	if err := f.withDefaults().check(); err != nil {
		return nil, nil, err
	}
	warnings = append(warnings, f.notes...)
	slices.Sort(warnings)
	return f, warnings, nil
}

// splitProperty cuts a line of a Java properties file at "=", ":" or a space.
func splitProperty(line string) (name, value string) {
	i := strings.IndexAny(line, "=: \t")
	if i < 0 {
		return line, ""
	}
	value = strings.TrimLeft(line[i:], " \t")
	if value != "" && (value[0] == '=' || value[0] == ':') {
		value = value[1:]
	}
	return line[:i], strings.TrimSpace(value)
}
