//go:build race

package gregor

const raceEnabled = true
