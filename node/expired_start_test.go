package node

import (
	"io/fs"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gregor-mq/gregor/internal/env"
)

// trip calls a function when something is mentioned for the first time: a file
// that is opened or read, or a line of the log.
type trip struct {
	env.FS
	word string
	once sync.Once
	do   func()
}

func (p *trip) mention(text string) {
	if strings.Contains(text, p.word) {
		p.once.Do(p.do)
	}
}

func (p *trip) Open(name string, flag int, perm fs.FileMode) (env.File, error) {
	p.mention(name)
	return p.FS.Open(name, flag, perm)
}

func (p *trip) ReadFile(name string) ([]byte, error) {
	p.mention(name)
	return p.FS.ReadFile(name)
}

func (p *trip) Write(line []byte) (int, error) {
	p.mention(string(line))
	return len(line), nil
}

// A session that expires while the broker starts, whatever the broker is about,
// is replaced by another.
func TestSessionExpiresDuringTheStart(t *testing.T) {
	for _, word := range []string{"meta.properties", "replication-offset-checkpoint", "/proc/sys/kernel/hostname", "registered", "elected"} {
		t.Run(strings.ReplaceAll(word, "/", " "), func(t *testing.T) {
			onMachine(t, func(t *testing.T, m *machine) {
				connect, stop := m.ensemble()
				defer stop()
				m.write("/proc/sys/kernel/hostname", "localhost\n")
				line, mended := &cable{Net: m.net}, make(chan struct{})
				p := &trip{FS: m.fs, word: word, do: func() {
					line.cut()
					m.env.Clock.AfterFunc(time.Minute, func() {
						line.mend()
						close(mended)
					})
				}}
				e := m.env
				e.FS, e.Net = p, line
				n, err := Start(t.Context(), Options{
					Config: properties(t, connect, "listeners=PLAINTEXT://:9092"), Env: e, Levels: NewLevels(p, slog.LevelInfo)})
				if err != nil {
					t.Fatal(err)
				}
				<-mended // or the word was never mentioned, and the bubble hangs
				m.eventually("the broker is registered", func() bool { return n.cache.Image().Alive(0) })
				m.createTopic(n, "t", 1)
				m.wantProduced(n, "t", 0)
				m.leave(n)
			})
		})
	}
}
