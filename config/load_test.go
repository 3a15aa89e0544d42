package config

import "testing"

func TestLoadProfile(t *testing.T) {
	b, warnings, err := Load(Source{})
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if b.ID != 0 || b.LogDirs[0] != "./gregor-data/logs" || !b.Keeper.Embedded || b.Keeper.Port != 2181 {
		t.Errorf("%+v", b)
	}
	if d := b.TopicDefaults(); d.RetentionMs != 604800000 || d.SegmentBytes != 1<<30 || !d.Delete || d.Compact {
		t.Errorf("%+v", d)
	}
}
