package proc

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/gregor-mq/gregor/test/port"
)

// Gregor is a built gregor with its embedded keeper: one process.
type Gregor struct {
	broker
	debug string
}

// NewGregor prepares a server in a fresh directory below parent. With debug it
// serves net/http/pprof on a loopback port.
func NewGregor(binary, parent string, debug bool) (*Gregor, error) {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "gregor-")
	if err != nil {
		return nil, err
	}
	g := &Gregor{broker: broker{dir: dir}}
	p, err := port.Free()
	if err != nil {
		return nil, err
	}
	g.addr = port.Loopback(p)
	lines := append(slices.Clone(samples),
		"listeners=PLAINTEXT://"+g.addr,
		"log.dirs="+filepath.Join(dir, "logs"),
		"gregor.keeper.data.dir="+filepath.Join(dir, "keeper"),
		"gregor.keeper.client.port=0")
	if debug {
		if p, err = port.Free(); err != nil {
			return nil, err
		}
		g.debug = port.Loopback(p)
		lines = append(lines, "gregor.debug.pprof.address="+g.debug)
	}
	config := filepath.Join(dir, "server.properties")
	if err := writeProperties(config, lines...); err != nil {
		return nil, err
	}
	g.launch = func() (*process, error) { return start(dir, "gregor", nil, binary, "server", "--config", config) }
	return g, nil
}

// Name implements Server.
func (g *Gregor) Name() string { return "gregor" }

// Debug implements Server.
func (g *Gregor) Debug() string { return g.debug }

// Usage implements Server.
func (g *Gregor) Usage() (Usage, error) { return usageOf(g.process.cmd.Process.Pid) }

// Close implements Server.
func (g *Gregor) Close() error {
	g.process.kill()
	return os.RemoveAll(g.dir)
}
