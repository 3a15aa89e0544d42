package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gregor-mq/gregor/internal/env"
	"github.com/gregor-mq/gregor/internal/proc"
)

// Names in the directory of a cluster, and in the folder of each process.
const (
	shapeFile  = "cluster.properties"
	lockName   = ".lock"
	pidFile    = "gregor.pid"
	outputFile = "gregor.log"
)

// clusterDir is the directory of a local cluster.
type clusterDir struct {
	files env.FS
	path  string // absolute
	shape
}

// member is one process of a cluster, running or not.
type member struct {
	name   string // keeper, or broker 1
	dir    string // its folder, and the directory it runs in
	verb   string
	config string // file name in dir
	addr   string // host:port on which it serves
}

func newClusterDir(files env.FS, dir string) (*clusterDir, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("--dir: %w", err)
	}
	return &clusterDir{files: files, path: path}, nil
}

func (d *clusterDir) in(name string) string { return filepath.Join(d.path, name) }

func (d *clusterDir) keeper() member {
	return member{name: "keeper", dir: d.in("keeper"), verb: "keeper", config: "zoo.cfg", addr: loopback(d.keeperPort)}
}

func (d *clusterDir) broker(id int) member {
	return member{
		name: fmt.Sprintf("broker %d", id), dir: d.in(fmt.Sprintf("broker-%d", id)), verb: "server", config: "server.properties",
		addr: loopback(d.port + id),
	}
}

// members are all processes, the keeper first.
func (d *clusterDir) members() []member {
	out := []member{d.keeper()}
	for id := range d.brokers {
		out = append(out, d.broker(id))
	}
	return out
}

// bootstrap lists the brokers' addresses.
func (d *clusterDir) bootstrap() []string {
	var out []string
	for id := range d.brokers {
		out = append(out, d.broker(id).addr)
	}
	return out
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

func (m member) output() string { return filepath.Join(m.dir, outputFile) }

func (m member) pid() string { return filepath.Join(m.dir, pidFile) }

// load reads the shape; found is false when no cluster was made here.
func (d *clusterDir) load() (found bool, err error) {
	src, err := d.files.ReadFile(d.in(shapeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if d.shape, err = parseShape(src); err != nil {
		return false, fmt.Errorf("%s: %w", d.in(shapeFile), err)
	}
	return true, nil
}

// claim takes the directory for a cluster of that shape, or for the one that
// lives there already: then what flags gave must agree. The returned function
// gives the directory back; no other process can take it before.
func (d *clusterDir) claim(wanted shape, given map[string]int) (release func() error, err error) {
	if err := d.files.MkdirAll(d.path, 0o755); err != nil {
		return nil, err
	}
	lock, err := d.files.Lock(d.in(lockName))
	if errors.Is(err, env.ErrLocked) {
		return nil, fmt.Errorf("%s: this cluster is up already%s; `gregor cluster status` and `gregor cluster down` find it with --dir", d.path, d.whose())
	}
	if err != nil {
		return nil, err
	}
	if err := d.settle(wanted, given); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock.Close, nil
}

func (d *clusterDir) whose() string {
	if l, ok := d.running(d.in(pidFile)); ok {
		return fmt.Sprintf(" (process %d)", l.PID)
	}
	return ""
}

// settle makes the shape that of the cluster found, or the wanted one.
func (d *clusterDir) settle(wanted shape, given map[string]int) error {
	found, err := d.load()
	if err != nil {
		return err
	}
	if found {
		for key, value := range given {
			if has := *d.field(key); has != value {
				return fmt.Errorf("--%s %d: the cluster in %s was made with %d; leave the flag out, or choose another --dir", flagOf(key), value, d.path, has)
			}
		}
		return nil
	}
	entries, err := d.files.ReadDir(d.path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lockName {
			return fmt.Errorf("%s holds %s and no cluster (%s is missing): choose an empty directory", d.path, e.Name(), shapeFile)
		}
	}
	if err := wanted.check(); err != nil {
		return err
	}
	d.shape = wanted
	return nil
}

// furnish writes what is missing: the shape first, then a folder with its
// configuration for each process. What is there belongs to the user.
func (d *clusterDir) furnish() error {
	if err := d.writeMissing(d.path, shapeFile, d.encode()); err != nil {
		return err
	}
	k := d.keeper()
	if err := d.writeMissing(k.dir, k.config, d.zooCfg()); err != nil {
		return err
	}
	for id := range d.brokers {
		b := d.broker(id)
		if err := d.writeMissing(b.dir, b.config, d.properties(id)); err != nil {
			return err
		}
	}
	return nil
}

// Paths are relative to the folder of the process, so that a cluster can be
// moved or copied whole.
func (d *clusterDir) zooCfg() []byte {
	return fmt.Appendf(nil, "dataDir=data\nclientPort=%d\nclientPortAddress=127.0.0.1\n4lw.commands.whitelist=*\nmaxClientCnxns=0\nadmin.enableServer=false\n", d.keeperPort)
}

// properties are a broker's, with Kafka's usual three copies where there are
// as many brokers. When all stop at once there is nobody to take leaders over:
// each soon gives up asking.
func (d *clusterDir) properties(id int) []byte {
	copies := min(d.brokers, 3)
	inSync := max(copies-1, 1)
	return fmt.Appendf(nil, `broker.id=%d
listeners=PLAINTEXT://%s
zookeeper.connect=%s
log.dirs=logs
default.replication.factor=%d
min.insync.replicas=%d
offsets.topic.replication.factor=%d
transaction.state.log.replication.factor=%d
transaction.state.log.min.isr=%d
group.initial.rebalance.delay.ms=0
controlled.shutdown.retry.backoff.ms=200
`, id, d.broker(id).addr, d.keeper().addr, copies, inSync, copies, copies, inSync)
}

func (d *clusterDir) writeMissing(dir, name string, content []byte) error {
	path := filepath.Join(dir, name)
	if _, err := d.files.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.files.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return d.replace(path, content)
}

// replace writes a file whole or not at all.
func (d *clusterDir) replace(path string, content []byte) error {
	tmp := path + ".tmp"
	f, err := d.files.Open(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(content, 0)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.files.Rename(tmp, path)
}

// writePID says in a file which process it is; a system that cannot tell
// processes apart gets no file.
func (d *clusterDir) writePID(path string, pid int) error {
	l, ok := proc.Of(d.files, pid)
	if !ok {
		return nil
	}
	return d.replace(path, l.Encode())
}

// running reads a pid file; ok is false when that process is gone.
func (d *clusterDir) running(path string) (l proc.Life, ok bool) {
	src, err := d.files.ReadFile(path)
	if err != nil {
		return proc.Life{}, false
	}
	if l, ok = proc.Decode(src); !ok || !l.Alive(d.files) {
		return proc.Life{}, false
	}
	return l, true
}
