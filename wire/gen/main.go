package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	out := flag.String("out", ".", "directory of package wire")
	jars := flag.String("jars", "", "jar cache (default: gregor/jars in the user's cache directory)")
	flag.Parse()
	if err := generate(*out, *jars); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generate rewrites every generated file of out. Files of messages that no
// longer exist are removed.
func generate(out, cache string) error {
	if cache == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("find the jar cache: %w", err)
		}
		cache = filepath.Join(base, "gregor", "jars")
	}
	paths, err := fetchJars(cache)
	if err != nil {
		return err
	}
	msgs, err := readJars(paths)
	if err != nil {
		return err
	}
	files, err := emitAll(msgs)
	if err != nil {
		return err
	}
	return writeFiles(out, files)
}

// genSuffix ends the name of every file this program owns.
const genSuffix = ".gen.go"

func writeFiles(out string, files map[string][]byte) error {
	old, err := filepath.Glob(filepath.Join(out, "*"+genSuffix))
	if err != nil {
		return err
	}
	for _, path := range old {
		name := strings.TrimSuffix(filepath.Base(path), genSuffix)
		if _, kept := files[name]; !kept {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(out, name+genSuffix), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
