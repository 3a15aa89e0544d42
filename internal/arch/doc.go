// Package arch holds the house together: its tests check imports, sizes,
// documents and forbidden calls over the whole module.
//
//   - Owns: imports.txt (who may import whom) and ratchet.txt (old offenders).
//   - Goroutines: none.
//   - Disk: reads the module's own source, in tests.
//   - Locks: none.
//   - Kafka counterpart: checkstyle/import-control.xml.
package arch
