//go:build !race

package gregor

const raceEnabled = false
