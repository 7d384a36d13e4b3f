// Peer-franz-produce is franz-go behind the command line of "forebay perf produce": --api send as
// fast as records are taken, --api echo at a rate and until each record was read.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// warm is how many records belong to warming up.
const warm = 1000

type options struct {
	servers, topic, compression, values, api string
	records                                  uint64
	size, linger, batch, rate, partitions    int
}

type report struct {
	Client         string  `json:"client"`
	Records        uint64  `json:"records"`
	Bytes          uint64  `json:"bytes"`
	WallS          float64 `json:"wall_s"`
	CpuS           float64 `json:"cpu_s"`
	CpuNsPerRecord float64 `json:"cpu_ns_per_record"`
	PeakRssBytes   int64   `json:"peak_rss_bytes"`
	Latencies      int     `json:"latencies"`
	P50            float64 `json:"latency_p50_us"`
	P99            float64 `json:"latency_p99_us"`
	P999           float64 `json:"latency_p999_us"`
	Max            float64 `json:"latency_max_us"`
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer-franz-produce:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	flag.StringVar(&o.servers, "bootstrap-servers", "", "host and port of a broker")
	flag.StringVar(&o.topic, "topic", "t", "topic to write to")
	flag.Uint64Var(&o.records, "records", 0, "how many records")
	flag.IntVar(&o.size, "record-size", 100, "bytes of each value")
	flag.StringVar(&o.compression, "compression", "none", "none, gzip, snappy, lz4 or zstd")
	flag.IntVar(&o.linger, "linger-ms", 5, "milliseconds that a batch waits for more records")
	flag.IntVar(&o.batch, "batch-size", 131072, "bytes at which a batch is full")
	flag.IntVar(&o.rate, "rate", 1000, "records per second, for echo")
	flag.StringVar(&o.values, "values", "", "file of values that lie end to end")
	flag.StringVar(&o.api, "api", "send", "send or echo")
	flag.IntVar(&o.partitions, "partitions", 8, "partitions to read")
	_ = flag.String("output", "json", "always JSON")
	flag.Parse()
	return o
}

func (o options) producer() *kgo.Client {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(),
		"lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(o.servers, ",")...),
		kgo.DefaultProduceTopic(o.topic),
		kgo.ProducerLinger(time.Duration(o.linger)*time.Millisecond),
		kgo.ProducerBatchMaxBytes(int32(o.batch)),
		kgo.ProducerBatchCompression(codecs[o.compression]),
	)
	must(err)
	return client
}

func stored(_ *kgo.Record, err error) { must(err) }

func (o options) send() {
	all, err := os.ReadFile(o.values)
	must(err)
	count := uint64(len(all) / o.size)
	client, ctx := o.producer(), context.Background()
	for number := uint64(0); number < o.records; number++ {
		at := int(number%count) * o.size
		client.Produce(ctx, kgo.SliceRecord(all[at:at+o.size]), stored)
	}
	must(client.Flush(ctx))
}

func (o options) echo() []int64 {
	offsets := map[int32]kgo.Offset{}
	for p := int32(0); p < int32(o.partitions); p++ {
		offsets[p] = kgo.NewOffset().AtEnd()
	}
	consumer, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.servers, ",")...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{o.topic: offsets}))
	must(err)
	producer, ctx := o.producer(), context.Background()
	begun := time.Now().Add(2 * time.Second)
	done := make(chan []int64)
	go func() {
		nanos, read := make([]int64, 0, o.records), uint64(0)
		for read < o.records {
			fetches := consumer.PollFetches(ctx)
			must(fetches.Err())
			fetches.EachRecord(func(record *kgo.Record) {
				due := int64(binary.LittleEndian.Uint64(record.Value))
				if read++; read > warm {
					nanos = append(nanos, int64(time.Since(begun))-due)
				}
			})
		}
		done <- nanos
	}()
	for number := uint64(0); number < o.records; number++ {
		due := time.Duration(float64(number) / float64(o.rate) * 1e9)
		if early := due - time.Since(begun); early > 0 {
			time.Sleep(early)
		}
		value := make([]byte, o.size)
		binary.LittleEndian.PutUint64(value, uint64(due))
		producer.Produce(ctx, kgo.SliceRecord(value), stored)
	}
	return <-done
}

func main() {
	o := parse()
	started := time.Now()
	r := report{Client: "franz-go " + o.api, Records: o.records, Bytes: o.records * uint64(o.size)}
	if o.api == "echo" {
		nanos := o.echo()
		sort.Slice(nanos, func(i, j int) bool { return nanos[i] < nanos[j] })
		at := func(thousandth int) float64 {
			return float64(nanos[max((len(nanos)*thousandth+999)/1000-1, 0)]) / 1e3
		}
		r.Latencies, r.P50, r.P99, r.P999, r.Max = len(nanos), at(500), at(990), at(999), at(1000)
	} else {
		o.send()
	}
	r.WallS = time.Since(started).Seconds()
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	r.CpuS = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	r.CpuNsPerRecord = r.CpuS * 1e9 / float64(r.Records)
	r.PeakRssBytes = usage.Maxrss * 1024
	must(json.NewEncoder(os.Stdout).Encode(r))
}
