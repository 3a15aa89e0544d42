package follow

import "github.com/gregor-mq/gregor/config"

// fetchByID is the first version of Fetch that names topics by id; where one has
// none, the version before it is spoken. fetchState is the first that tells
// who fetches in a field of its own.
const (
	fetchByID  int16 = 13
	fetchState int16 = 15
)

// versions are those of a follower's requests. There is no negotiation: a
// cluster is upgraded in two steps because of that.
type versions struct {
	fetch, listOffsets, epochEnd int16
	// diverging says that the leader compares histories with every fetch. Before
	// that, a follower asks for the end of its latest epoch before it fetches
	// (asks), or cuts its log to the high watermark.
	diverging, asks bool
}

// gate is one line of Kafka's table: from a release on, a version.
type gate struct {
	release string
	version int16
}

var (
	fetchGates = []gate{{"3.9-IV0", 17}, {"3.7-IV4", 16}, {"3.5-IV1", 15}, {"3.5-IV0", 14}, {"3.1-IV0", 13}, {"2.7-IV1", 12}, {"2.3-IV1", 11},
		{"2.1-IV2", 10}, {"2.0-IV1", 8}, {"1.1-IV0", 7}, {"0.11.0-IV1", 5}, {"0.11.0-IV0", 4}, {"0.10.1-IV1", 3}, {"0.10.0-IV0", 2}, {"0.9.0", 1}}
	listOffsetsGates = []gate{{"3.9-IV0", 9}, {"3.5-IV0", 8}, {"3.0-IV1", 7}, {"2.8-IV0", 6}, {"2.2-IV1", 5}, {"2.1-IV1", 4}, {"2.0-IV1", 3},
		{"0.11.0-IV0", 2}, {"0.10.1-IV2", 1}}
	epochEndGates = []gate{{"2.8-IV0", 4}, {"2.3-IV1", 3}, {"2.1-IV1", 2}, {"2.0-IV0", 1}}
)

func pick(p config.ProtocolVersion, gates []gate) int16 {
	for _, g := range gates {
		if p.AtLeast(g.release) {
			return g.version
		}
	}
	return 0
}

func versionsOf(p config.ProtocolVersion) versions {
	return versions{
		fetch: pick(p, fetchGates), listOffsets: pick(p, listOffsetsGates), epochEnd: pick(p, epochEndGates),
		diverging: p.AtLeast("2.7-IV1"), asks: p.AtLeast("0.11.0-IV2"),
	}
}
