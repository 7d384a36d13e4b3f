// Peer-franz is franz-go behind the command line of "forebay perf consume": --api pooled recycles
// its records, --api batches leaves them to the garbage collector.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

type options struct {
	servers, topic, partitions, group, api string
	records                                uint64
	tuned                                  bool
}

// report is the line of JSON that every client prints.
type report struct {
	Client         string  `json:"client"`
	Records        uint64  `json:"records"`
	Bytes          uint64  `json:"bytes"`
	Checksum       uint64  `json:"checksum"`
	WallS          float64 `json:"wall_s"`
	CpuS           float64 `json:"cpu_s"`
	CpuNsPerRecord float64 `json:"cpu_ns_per_record"`
	PeakRssBytes   int64   `json:"peak_rss_bytes"`
}

// pool keeps decompression buffers and slices of records for reuse.
type pool struct{ bytes, records sync.Pool }

func (p *pool) GetDecompressBytes(compressed []byte, _ kgo.CompressionCodecType) []byte {
	if b, _ := p.bytes.Get().(*[]byte); b != nil {
		return *b
	}
	return make([]byte, 0, len(compressed)*4)
}

func (p *pool) PutDecompressBytes(b []byte) { p.bytes.Put(&b) }

func (p *pool) GetRecords(n int) []kgo.Record {
	if r, _ := p.records.Get().(*[]kgo.Record); r != nil && cap(*r) >= n {
		return *r
	}
	return make([]kgo.Record, 0, n)
}

func (p *pool) PutRecords(r []kgo.Record) { p.records.Put(&r) }

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer-franz:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.servers, "bootstrap-servers", "", "host and port of a broker")
	flag.StringVar(&o.topic, "topic", "t", "topic, read from its beginning")
	flag.Uint64Var(&o.records, "records", 0, "records after which it ends")
	flag.StringVar(&o.partitions, "partitions", "0-7", "partitions to assign")
	flag.StringVar(&o.group, "group", "", "join this group and subscribe instead")
	flag.StringVar(&o.api, "api", "pooled", "pooled or batches")
	flag.BoolVar(&o.tuned, "tuned", false, "larger fetches than the defaults")
	_ = flag.Int("workers", 1, "ignored: GOMAXPROCS decides")
	_ = flag.String("output", "json", "always JSON")
	flag.Parse()
	return o
}

func (o options) client() *kgo.Client {
	opts := []kgo.Opt{kgo.SeedBrokers(strings.Split(o.servers, ",")...)}
	start := kgo.NewOffset().AtStart()
	if o.group != "" {
		opts = append(opts, kgo.ConsumeTopics(o.topic), kgo.ConsumerGroup(o.group),
			kgo.ConsumeResetOffset(start), kgo.AutoCommitInterval(500*time.Millisecond))
	} else {
		var first, last int32
		_, err := fmt.Sscanf(o.partitions, "%d-%d", &first, &last)
		must(err)
		offsets := map[int32]kgo.Offset{}
		for p := first; p <= last; p++ {
			offsets[p] = start
		}
		opts = append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: offsets}))
	}
	if o.tuned {
		opts = append(opts, kgo.FetchMaxPartitionBytes(4<<20))
	}
	if o.api == "pooled" {
		opts = append(opts, kgo.WithPools(&pool{}))
	}
	client, err := kgo.NewClient(opts...)
	must(err)
	return client
}

func (o options) consume() report {
	started, r := time.Now(), report{Client: "franz-go " + o.api}
	if o.tuned {
		r.Client += " tuned"
	}
	client, pooled := o.client(), o.api == "pooled"
	for r.Records < o.records {
		fetches := client.PollFetches(context.Background())
		must(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) {
			r.Records++
			r.Bytes += uint64(len(record.Value))
			if len(record.Value) > 0 {
				r.Checksum += uint64(record.Value[0])
			}
			if pooled {
				record.Recycle()
			}
		})
	}
	if o.group != "" {
		must(client.CommitUncommittedOffsets(context.Background()))
	}
	r.WallS = time.Since(started).Seconds()
	return r
}

func main() {
	r := parse().consume()
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	r.CpuS = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	r.CpuNsPerRecord = r.CpuS * 1e9 / float64(r.Records)
	r.PeakRssBytes = usage.Maxrss * 1024
	must(json.NewEncoder(os.Stdout).Encode(r))
}
