package node

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// Levels holds the log level of each subsystem; they can change at run time
// (BROKER_LOGGER resources of AlterConfigs).
type Levels struct {
	mu struct {
		sync.Mutex
		byName map[string]*slog.LevelVar
		own    map[string]bool // subsystems that do not follow root
		root   slog.Level
	}
	out   slog.Handler
	first slog.Level // what root started with
}

// NewLevels returns levels that all start at root; lines go to w.
func NewLevels(w io.Writer, root slog.Level) *Levels {
	l := &Levels{first: root, out: slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})}
	l.mu.byName, l.mu.own = map[string]*slog.LevelVar{}, map[string]bool{}
	l.mu.root = root
	return l
}

// Logger returns the logger of a subsystem.
func (l *Levels) Logger(subsystem string) *slog.Logger {
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.mu.byName[subsystem]
	if !ok {
		v = &slog.LevelVar{}
		v.Set(l.mu.root)
		l.mu.byName[subsystem] = v
	}
	return slog.New(&leveled{Handler: l.out, level: v}).With("subsystem", subsystem)
}

// screen returns a logger of a subsystem whose lines show at any level: for what
// a person who watches the start has to know.
func (l *Levels) screen(subsystem string) *slog.Logger {
	return slog.New(l.out).With("subsystem", subsystem)
}

// rootLogger is the name of the level that all others follow.
const rootLogger = "root"

// Names lists root and the subsystems, in name order.
func (l *Levels) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []string{rootLogger}
	for name := range l.mu.byName {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Level returns the level in force as Kafka writes it; ok is false when there
// is no such logger.
func (l *Levels) Level(logger string) (level string, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if logger == rootLogger {
		return kafkaLevel(l.mu.root), true
	}
	v, ok := l.mu.byName[logger]
	if !ok {
		return "", false
	}
	return kafkaLevel(v.Level()), true
}

// SetLevel gives a logger its own level; those without one follow root.
func (l *Levels) SetLevel(logger, level string) error {
	want, err := ParseLevel(level)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if logger == rootLogger {
		l.setRootLocked(want)
		return nil
	}
	v, ok := l.mu.byName[logger]
	if !ok {
		return fmt.Errorf("logger %q does not exist", logger)
	}
	v.Set(want)
	l.mu.own[logger] = true
	return nil
}

func (l *Levels) setRootLocked(want slog.Level) {
	l.mu.root = want
	for name, v := range l.mu.byName {
		if !l.mu.own[name] {
			v.Set(want)
		}
	}
}

// ResetLevel lets a logger follow root again, and root what it started with.
func (l *Levels) ResetLevel(logger string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if logger == rootLogger {
		l.setRootLocked(l.first)
		return nil
	}
	v, ok := l.mu.byName[logger]
	if !ok {
		return fmt.Errorf("logger %q does not exist", logger)
	}
	v.Set(l.mu.root)
	delete(l.mu.own, logger)
	return nil
}

// levelNames are Kafka's levels by ours; FATAL is above all that is logged.
var levelNames = []struct {
	name  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo},
	{"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError}, {"FATAL", slog.LevelError + 4},
}

// ParseLevel reads one of Kafka's level names.
func ParseLevel(name string) (slog.Level, error) {
	for _, n := range levelNames {
		if strings.EqualFold(n.name, name) {
			return n.level, nil
		}
	}
	return 0, fmt.Errorf("log level %q: must be TRACE, DEBUG, INFO, WARN, ERROR or FATAL", name)
}

func kafkaLevel(l slog.Level) string {
	out := levelNames[0].name
	for _, n := range levelNames {
		if l >= n.level {
			out = n.name
		}
	}
	return out
}
