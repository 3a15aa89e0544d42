package table

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// Keys of the servers in flags and in the JSON file.
const (
	Gregor = "gregor"
	Apache = "apache"
)

// Section is the part of a table that one workload fills.
type Section struct {
	Name    string // as in flags and in the JSON file
	About   string
	Metrics []Metric
}

// Metric is one line of the table.
type Metric struct {
	Key    string
	Title  string
	Unit   string
	Target Target
}

// Target is what a median shall keep: a limit of gregor's ratio to Apache, or
// of its own figure, or both. The zero value asks for nothing.
type Target struct {
	ratio   float64
	atLeast bool    // the ratio is a lower limit
	limit   float64 // of gregor's own figure, in the metric's unit
	floor   float64 // likewise
}

// RatioAtMost asks for gregor's figure to be at most r times Apache's.
func RatioAtMost(r float64) Target { return Target{ratio: r} }

// RatioAtLeast asks for gregor's figure to be at least r times Apache's.
func RatioAtLeast(r float64) Target { return Target{ratio: r, atLeast: true} }

// AtMost asks for gregor's own figure to be at most limit, in the metric's unit.
func AtMost(limit float64) Target { return Target{limit: limit} }

// AtLeast asks for gregor's own figure to be at least floor, in the metric's unit.
func AtLeast(floor float64) Target { return Target{floor: floor} }

// AndAtMost adds a limit of gregor's own figure.
func (t Target) AndAtMost(limit float64) Target { t.limit = limit; return t }

func (t Target) met(own, ratio float64) bool {
	return t.ratioMet(ratio) && (t.limit == 0 || own <= t.limit) && own >= t.floor
}

func (t Target) ratioMet(ratio float64) bool {
	switch {
	case t.ratio == 0:
		return true
	case t.atLeast:
		return ratio >= t.ratio
	default:
		return ratio <= t.ratio
	}
}

// String writes it as the table does.
func (t Target) String() string {
	var parts []string
	switch {
	case t.ratio == 0:
	case t.atLeast:
		parts = append(parts, fmt.Sprintf("≥ %g×", t.ratio))
	case t.ratio < 1:
		parts = append(parts, fmt.Sprintf("≤ 1/%.3g", 1/t.ratio))
	default:
		parts = append(parts, fmt.Sprintf("≤ %g×", t.ratio))
	}
	if t.limit != 0 {
		parts = append(parts, fmt.Sprintf("≤ %g", t.limit))
	}
	if t.floor != 0 {
		parts = append(parts, fmt.Sprintf("≥ %g", t.floor))
	}
	return strings.Join(parts, ", ")
}

// figures are the values of one metric by server, in the order of the runs.
type figures map[string][]float64

// Report collects all runs.
type Report struct {
	Time    time.Time                     `json:"time"`
	Machine string                        `json:"machine"`
	Runs    int                           `json:"runs"`
	Caveat  string                        `json:"caveat,omitempty"` // why the figures are not to be quoted
	Figures map[string]map[string]figures `json:"figures"`          // by workload and metric
}

// New begins a report of so many runs, now and on this machine. A caveat says why
// its figures are not to be quoted; it is empty where they are.
func New(runs int, caveat string) *Report {
	return &Report{Time: time.Now().UTC().Truncate(time.Second), Machine: machine(), Runs: runs, Caveat: caveat,
		Figures: map[string]map[string]figures{}}
}

// Add takes the figure of one run in.
func (r *Report) Add(workload, metric, server string, v float64) {
	if r.Figures[workload] == nil {
		r.Figures[workload] = map[string]figures{}
	}
	if r.Figures[workload][metric] == nil {
		r.Figures[workload][metric] = figures{}
	}
	f := r.Figures[workload][metric]
	f[server] = append(f[server], v)
}

// Write stores all figures as JSON.
func (r *Report) Write(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// Markdown is the table: a line for each metric that was measured. apache is
// the other server's name with its version.
func (r *Report) Markdown(apache string, sections []Section) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, medians of %d (least to most), %s\n", r.Machine, r.Runs, r.Time.Format(time.DateOnly))
	if r.Caveat != "" {
		fmt.Fprintf(&b, "not to be quoted: %s\n", r.Caveat)
	}
	fmt.Fprintf(&b, "\n| workload | figure | gregor | %s | ratio | target | |\n|---|---|---:|---:|---:|---|---|\n", apache)
	for _, w := range sections {
		about := w.About
		for _, m := range w.Metrics {
			f := r.Figures[w.Name][m.Key]
			if f == nil {
				continue
			}
			fmt.Fprintf(&b, "| %s | %s, %s | %s | %s | %s |\n", about, m.Title, m.Unit, show(f[Gregor]), show(f[Apache]), judge(m.Target, f))
			about = ""
		}
	}
	return b.String()
}

// judge is the ratio, the target and whether it is met.
func judge(t Target, f figures) string {
	own, ratio := median(f[Gregor]), median(f[Gregor])/median(f[Apache])
	text := ""
	if !math.IsNaN(ratio) && !math.IsInf(ratio, 0) {
		text = showRatio(ratio)
	}
	verdict := ""
	switch {
	case t == (Target{}) || math.IsNaN(own) || t.ratio != 0 && text == "":
	case t.met(own, ratio):
		verdict = "met"
	default:
		verdict = "missed"
	}
	return fmt.Sprintf("%s | %s | %s", text, t, verdict)
}

// showRatio writes small ratios as fractions, as the targets are.
func showRatio(r float64) string {
	if r > 0 && r < 0.7 {
		return fmt.Sprintf("1/%.1f", 1/r)
	}
	return fmt.Sprintf("%.2f×", r)
}

// show is the median and, of several runs, the range.
func show(v []float64) string {
	switch len(v) {
	case 0:
		return "-"
	case 1:
		return number(v[0])
	}
	return fmt.Sprintf("%s (%s to %s)", number(median(v)), number(slices.Min(v)), number(slices.Max(v)))
}

// number keeps three digits, and all of those before the point.
func number(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	case a >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// median of no values is not a number.
func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// machine says on what the figures were measured.
func machine() string {
	parts := []string{fmt.Sprintf("%d cores", runtime.NumCPU())}
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if name, ok := strings.CutPrefix(lines.Text(), "model name"); ok {
				parts = append(parts, strings.TrimLeft(name, " \t:"))
				break
			}
		}
	}
	if out, err := exec.Command("uname", "-sr").Output(); err == nil {
		parts = append(parts, strings.TrimSpace(string(out)))
	}
	return strings.Join(append(parts, runtime.Version()), ", ")
}
