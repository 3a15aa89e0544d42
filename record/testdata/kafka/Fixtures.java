import org.apache.kafka.common.record.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import java.nio.*; import java.nio.file.*; import java.util.*;
/**
 * Writes the .bin fixtures of this folder with Kafka's own record classes and
 * prints what Kafka reads in them (dump.txt). Needs kafka-clients 3.9.1 and its
 * compression libraries on the class path:
 *
 *   javac Fixtures.java && java Fixtures gen . && java Fixtures dump *.bin > dump.txt
 */
public class Fixtures {
  static SimpleRecord[] recs(int big) {
    SimpleRecord[] r = new SimpleRecord[40];
    for (int i=0;i<r.length;i++) {
      byte[] k = i%3==0?null:(i%3==1?new byte[0]:("key-"+i).getBytes());
      byte[] v = i%5==4?null:("value number "+i+" ").repeat(i==7?big:3).getBytes();
      Header[] h = i%4!=3?new Header[0]:new Header[]{new RecordHeader("trace",("t"+i).getBytes()), new RecordHeader("none",(byte[])null)};
      r[i]=new SimpleRecord(1700000000000L+(i*37)%50, k, v, h);
    }
    return r;
  }
  static SimpleRecord[] plain(int big) {
    SimpleRecord[] r=recs(big);
    for (int i=0;i<r.length;i++) r[i]=new SimpleRecord(r[i].timestamp(), r[i].key(), r[i].value());
    return r;
  }
  static void save(String dir, String n, MemoryRecords m) throws Exception {
    ByteBuffer b=m.buffer().duplicate(); byte[] a=new byte[b.remaining()]; b.get(a);
    Files.write(Paths.get(dir,n),a);
  }
  static byte[] bytes(ByteBuffer b){ if(b==null)return null; byte[] a=new byte[b.remaining()]; b.duplicate().get(a); return a; }
  static String hex(byte[] a){ if(a==null)return "null"; java.util.zip.CRC32 c=new java.util.zip.CRC32(); c.update(a); return a.length+":"+Long.toHexString(c.getValue()); }
  static void dump(Path f) throws Exception {
    System.out.println("# "+f.getFileName());
    try {
      MemoryRecords m=MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(f)));
      for (RecordBatch b: m.batches()) {
        b.ensureValid();
        System.out.println("batch magic="+b.magic()+" last="+b.lastOffset()+" codec="+b.compressionType().name+" ts="+b.timestampType()+" max="+b.maxTimestamp()+" ctl="+b.isControlBatch()+" txn="+b.isTransactional()+" pid="+b.producerId()+" count="+b.countOrNull());
        for (org.apache.kafka.common.record.Record r: b) {
          StringBuilder s=new StringBuilder(r.offset()+" "+r.timestamp()+" "+hex(bytes(r.key()))+" "+hex(bytes(r.value())));
          for (Header h: r.headers()) s.append(" "+h.key()+"="+hex(h.value()));
          System.out.println(s);
        }
      }
    } catch (Throwable t) { System.out.println("error "+t); }
  }
  public static void main(String[] a) throws Exception {
    if (a[0].equals("dump")) { for (int i=1;i<a.length;i++) dump(Paths.get(a[i])); return; }
    String d=a[1]; 
    for (CompressionType t: CompressionType.values()) {
      save(d,"v2-"+t.name+".bin", MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V2, 100L, Compression.of(t).build(), TimestampType.CREATE_TIME, recs(t==CompressionType.NONE?9:6000)));
      if (t==CompressionType.ZSTD) continue;
      save(d,"v1-"+t.name+".bin", MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V1, 100L, Compression.of(t).build(), TimestampType.CREATE_TIME, plain(t==CompressionType.NONE?9:6000)));
      save(d,"v0-"+t.name+".bin", MemoryRecords.withRecords(RecordBatch.MAGIC_VALUE_V0, 100L, Compression.of(t).build(), TimestampType.CREATE_TIME, plain(t==CompressionType.NONE?9:6000)));
    }
    MemoryRecordsBuilder lb=MemoryRecords.builder(ByteBuffer.allocate(1<<20),(byte)1,Compression.gzip().build(),TimestampType.LOG_APPEND_TIME,100L,1700000099999L,-1L,(short)-1,-1,false,-1);
    for (SimpleRecord r: plain(9)) lb.append(r);
    save(d,"v1-gzip-lat.bin", lb.build());
    save(d,"txn.bin", MemoryRecords.withTransactionalRecords(100L, Compression.NONE, 4711L, (short)3, 17, 9, recs(9)));
    save(d,"commit.bin", MemoryRecords.withEndTransactionMarker(100L, 1700000000123L, 9, 4711L, (short)3, new EndTransactionMarker(ControlRecordType.COMMIT, 21)));
    save(d,"abort.bin", MemoryRecords.withEndTransactionMarker(100L, 1700000000123L, 9, 4711L, (short)3, new EndTransactionMarker(ControlRecordType.ABORT, 21)));
    // what Kafka makes of a down conversion
    for (CompressionType t: new CompressionType[]{CompressionType.NONE, CompressionType.GZIP}) for (byte magic=0;magic<2;magic++) {
      MemoryRecords m=MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(Paths.get(d,"v2-"+t.name+".bin"))));
      save(d,"down"+magic+"-"+t.name+".bin", m.downConvert(magic, 103L, org.apache.kafka.common.utils.Time.SYSTEM).records());
    }
  }
}
