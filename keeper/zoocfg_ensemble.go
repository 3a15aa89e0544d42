package keeper

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/keeper/ensemble"
)

// ensembleFile is what a zoo.cfg says about other members.
type ensembleFile struct {
	dynamic string // a file with server lines
}

// ensembleKeys are the properties about other members.
var ensembleKeys = map[string]zooKey{
	"myid":                 {number(1, func(c *zooFile) *int { return &c.number })},
	"reconfigEnabled":      {boolean(func(c *zooFile) *bool { return &c.ReconfigEnabled })},
	"readonlymode.enabled": {boolean(func(c *zooFile) *bool { return &c.ReadOnlyMode })},
	"quorumListenOnAllIPs": {boolean(func(c *zooFile) *bool { return &c.QuorumListenAll })},
	"dynamicConfigFile":    {text(func(c *zooFile) *string { return &c.dynamic })},
	"standaloneEnabled":    {accepted("true or false", func(v string) bool { return v == "true" || v == "false" })},
	"peerType":             {accepted("participant or observer", func(v string) bool { return v == "participant" || v == "observer" })},
	"initLimit":            {accepted("a whole number of ticks", wholeNumber)},
	"syncLimit":            {accepted("a whole number of ticks", wholeNumber)},
	"electionAlg":          {accepted("3", func(v string) bool { return v == "3" })},
}

// accepted takes a value that needs nothing here: raft times itself by tickTime, and
// a server's kind is on its line.
func accepted(form string, ok func(string) bool) func(*zooFile, string) string {
	return func(_ *zooFile, v string) string {
		if !ok(v) {
			return "must be " + form
		}
		return ""
	}
}

func wholeNumber(v string) bool {
	_, err := strconv.ParseUint(v, 10, 31)
	return err == nil
}

// ensembleKey finds a property about other members, server.N among them.
func ensembleKey(name string) (zooKey, bool) {
	if number, ok := strings.CutPrefix(name, "server."); ok {
		return zooKey{func(c *zooFile, v string) string {
			s, err := ensemble.ParseServer(number, v)
			if err != nil {
				return strings.TrimPrefix(err.Error(), "server."+number+"="+v+": ")
			}
			c.Servers = append(c.Servers, s)
			return ""
		}}, true
	}
	key, ok := ensembleKeys[name]
	return key, ok
}

// LoadZooCfg reads the properties of a zoo.cfg, and what stands in other files: the
// number of this server in dataDir/myid, the servers in dynamicConfigFile.
func LoadZooCfg(files env.FS, src []byte) (Config, []string, error) {
	f, warnings, err := parseZooCfg(src)
	if err == nil {
		err = f.loadServers(files)
	}
	if err != nil {
		return Config{}, nil, fmt.Errorf("zoo.cfg: %w", err)
	}
	return f.Config, warnings, nil
}

// loadServers completes what the file says about the ensemble.
func (f *zooFile) loadServers(files env.FS) error {
	if f.dynamic != "" {
		b, err := files.ReadFile(f.dynamic)
		if err != nil {
			return fmt.Errorf("dynamicConfigFile=%s: %w", f.dynamic, err)
		}
		c, err := ensemble.ParseConfig(string(b))
		if err != nil {
			return fmt.Errorf("dynamicConfigFile=%s: %w", f.dynamic, err)
		}
		f.Servers = c.Servers
	}
	if len(f.Servers) == 0 {
		return nil
	}
	if f.Member == 0 {
		n, err := myID(files, f.DataDir)
		if err != nil {
			return err
		}
		f.Member = n
	}
	if own, ok := f.self(); ok && len(f.Listen) == 0 && own.Client != "" {
		f.Listen = []string{own.Client}
	}
	return f.withDefaults().checkServers()
}

// myID reads the number of a server, which its administrator wrote.
func myID(files env.FS, dir string) (uint64, error) {
	name := filepath.Join(dir, myidName)
	b, err := files.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%s is missing: write into it which of the lines server.N is this server, or say --override myid=N", name)
	}
	if err != nil {
		return 0, fmt.Errorf("read myid: %w", err)
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(b)), 10, 64)
	if err != nil || n < 1 || n > maxMember {
		return 0, fmt.Errorf("%s says %q: must be a number, 1 to %d", name, strings.TrimSpace(string(b)), maxMember)
	}
	return n, nil
}
