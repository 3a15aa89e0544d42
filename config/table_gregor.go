package config

var gregorRows = []row{
	{"gregor.keeper.client.address", String, "127.0.0.1", nonEmpty, Medium, ReadOnly, plain,
		"Address on which the embedded keeper serves ZooKeeper clients."},
	{"gregor.keeper.client.port", Int, "2181", between(-1, 65535), Medium, ReadOnly, plain,
		"Port of the embedded keeper; 0 picks a free one, -1 keeps it off the network."},
	{"gregor.keeper.data.dir", String, null, nonEmpty, Medium, ReadOnly, plain,
		"Directory of the embedded keeper's snapshots; when unset, the first log directory's name with \"-keeper\" after it."},
	{"gregor.keeper.data.log.dir", String, null, nonEmpty, Low, ReadOnly, plain,
		"Directory of the embedded keeper's transaction log; the data directory when unset."},
	{"gregor.keeper.tick.time.ms", Int, "3000", atLeast(1), Low, ReadOnly, plain,
		"Unit of time of the embedded keeper; session timeouts are bounded by it."},
	{"gregor.keeper.min.session.timeout.ms", Int, "-1", atLeast(-1), Low, ReadOnly, plain,
		"Shortest session timeout the embedded keeper grants; -1 is two ticks."},
	{"gregor.keeper.max.session.timeout.ms", Int, "-1", atLeast(-1), Low, ReadOnly, plain,
		"Longest session timeout the embedded keeper grants; -1 is twenty ticks."},
	{"gregor.keeper.max.client.connections", Int, "60", atLeast(0), Low, ReadOnly, plain,
		"Connections that one address may hold to the embedded keeper; 0 sets no limit."},
	{"gregor.keeper.snap.count", Int, "100000", atLeast(2), Low, ReadOnly, plain,
		"Transactions between two snapshots of the embedded keeper."},
	{"gregor.keeper.4lw.commands.whitelist", List, "srvr", nil, Low, ReadOnly, plain,
		"Four-letter words the embedded keeper answers; * is all of them."},
}
