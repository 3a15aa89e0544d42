package page

import (
	"fmt"
	"strings"
)

// step is one command of a page, and what the page says it prints.
type step struct {
	line    int // of the page
	command string
	want    string
}

// parse finds the commands of a page: in blocks that begin with ```console, a
// line "$ command", goes on with lines "> more", and then has its output.
func parse(text string) ([]step, error) {
	var steps []step
	inside := false
	for i, line := range strings.Split(text, "\n") {
		command, isCommand := strings.CutPrefix(line, "$ ")
		more, isMore := strings.CutPrefix(line, "> ")
		switch {
		case strings.HasPrefix(line, "```"):
			inside = !inside && line == "```console"
		case !inside:
		case isCommand:
			steps = append(steps, step{line: i + 1, command: command})
		case len(steps) == 0:
			return nil, fmt.Errorf("line %d: output before the first command: %s", i+1, line)
		case isMore && steps[len(steps)-1].want == "":
			steps[len(steps)-1].command += "\n" + more
		default:
			steps[len(steps)-1].want += line + "\n"
		}
	}
	if len(steps) == 0 {
		return nil, fmt.Errorf("no commands")
	}
	return steps, nil
}
