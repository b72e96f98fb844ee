//! The commands and options of the command line.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use nuthatch_engine::{Stage, allowed};

/// Allowed numbers of files and of candidates, in the type that clap's range parser takes.
const TOP: RangeInclusive<i64> = *allowed::TOP.start() as i64..=*allowed::TOP.end() as i64;
const CANDIDATES: RangeInclusive<i64> = *allowed::CANDIDATES.start() as i64..=*allowed::CANDIDATES.end() as i64;

/// Finds the notes that answer you, on your own machine.
#[derive(Debug, Parser)]
#[command(name = "nuthatch", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 done, 1 nothing found or check failed, 2 asked wrongly, 3 could not be done, \
                        130 interrupted.")]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Answer in JSON, errors included
    #[arg(long, global = true)]
    pub json: bool,
    /// Keep settings, index and models in DIR instead of the usual place
    #[arg(long, global = true, value_name = "DIR", env = "NUTHATCH_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where models run
    #[arg(long, global = true, value_enum, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Arithmetic of the models on the CPU; without it each model's own choice
    #[arg(long, global = true, value_enum)]
    pub precision: Option<PrecisionArg>,
    /// Threads for the models; all cores without it
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// No progress and no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more about the run on standard error; twice for all of it
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// The fastest there is
    Auto,
    Cpu,
    Cuda,
    Metal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PrecisionArg {
    F32,
    /// On processors with AVX-512 BF16
    Bf16,
    Int8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StageArg {
    /// Words alone (BM25)
    Lexical,
    /// Vectors alone
    Vector,
    /// Words and vectors, fused
    Hybrid,
    /// The fused candidates, read by the cross-encoder
    Rerank,
}

impl From<StageArg> for Stage {
    fn from(stage: StageArg) -> Self {
        match stage {
            StageArg::Lexical => Self::Lexical,
            StageArg::Vector => Self::Vector,
            StageArg::Hybrid => Self::Hybrid,
            StageArg::Rerank => Self::Rerank,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add, remove or list the watched folders
    #[command(subcommand)]
    Folders(FoldersCommand),
    /// Bring the index in line with the watched folders, then stop
    Index {
        /// Folders to add to the watched ones first
        #[arg(value_name = "FOLDER")]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        embedder: EmbedderArg,
    },
    /// Index, then follow every change until Ctrl-C
    Watch {
        #[command(flatten)]
        embedder: EmbedderArg,
    },
    /// Read failed files again
    Retry {
        /// Files or folders; all failed files without any
        #[arg(value_name = "PATH")]
        paths: Vec<PathBuf>,
        #[command(flatten)]
        embedder: EmbedderArg,
    },
    /// Give up the notes of a folder that is away for good
    Forget {
        #[arg(value_name = "FOLDER", required = true)]
        folders: Vec<PathBuf>,
        #[command(flatten)]
        embedder: EmbedderArg,
    },
    /// Say why a file is found for a question, or is not, and what to change
    Why(WhyArgs),
    /// Show what is indexed, waiting, skipped, failed and offline, and why
    Status {
        /// A line for every file
        #[arg(long)]
        files: bool,
    },
    /// Find the notes that answer a question
    Search(SearchArgs),
    /// Measure every stage on a test collection in BEIR layout, or on your own notes
    Eval(Box<EvalArgs>),
    /// Time the models on this machine, or how the index grows
    Bench(BenchArgs),
    /// Score passages from standard input against a question
    Rerank(RerankArgs),
    /// List, check, import, fetch or calibrate models
    #[command(subcommand)]
    Models(ModelsCommand),
}

#[derive(Debug, Subcommand)]
pub enum FoldersCommand {
    /// Watch these folders; their notes come in with the next `nuthatch index`
    Add {
        #[arg(value_name = "FOLDER", required = true)]
        folders: Vec<PathBuf>,
    },
    /// Watch these folders no longer and take their notes out of the index
    Remove {
        #[arg(value_name = "FOLDER", required = true)]
        folders: Vec<PathBuf>,
    },
    /// List the watched folders
    List,
}

#[derive(Debug, Args)]
pub struct EmbedderArg {
    /// Bi-encoder to make vectors with, instead of the one in the settings
    #[arg(long, value_name = "NAME")]
    pub embedder: Option<String>,
}

#[derive(Debug, Args)]
pub struct RerankerArg {
    /// Cross-encoder to rerank with, instead of the one in the settings
    #[arg(long, value_name = "NAME")]
    pub reranker: Option<String>,
}

#[derive(Debug, Args)]
pub struct SearchArgs {
    /// The question; several words need no quotes
    #[arg(required = true, value_name = "QUERY")]
    pub query: Vec<String>,
    /// Files to show at most
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(TOP))]
    pub top: u16,
    /// Candidates to hand to the cross-encoder; the settings' number (100) without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(CANDIDATES))]
    pub candidates: Option<u16>,
    /// Leave out what scores below X, from 0 to 1, 0 for nothing; the settings' threshold without it
    #[arg(long, value_name = "X", value_parser = probability)]
    pub threshold: Option<f32>,
    /// Milliseconds that reranking may take; candidates not read in that time come last, in the first stage's order. 0
    /// is no limit; the settings' limit (300) without it
    #[arg(long, value_name = "MS")]
    pub budget_ms: Option<u64>,
    /// Stop after this stage; it is an error if its model is not there
    #[arg(long, value_enum)]
    pub stage: Option<StageArg>,
    /// List the copies of each note
    #[arg(long)]
    pub copies: bool,
    #[command(flatten)]
    pub embedder: EmbedderArg,
    #[command(flatten)]
    pub reranker: RerankerArg,
}

#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The question, in quotes
    #[arg(value_name = "QUERY")]
    pub query: String,
    /// The file
    #[arg(value_name = "PATH")]
    pub path: PathBuf,
    /// Files that would be shown at most
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(TOP))]
    pub top: u16,
    /// Candidates to hand to the cross-encoder; the settings' number (100) without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(CANDIDATES))]
    pub candidates: Option<u16>,
    /// Leave out what scores below X, from 0 to 1, 0 for nothing; the settings' threshold without it
    #[arg(long, value_name = "X", value_parser = probability)]
    pub threshold: Option<f32>,
    #[command(flatten)]
    pub embedder: EmbedderArg,
    #[command(flatten)]
    pub reranker: RerankerArg,
}

#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Holds corpus.jsonl, queries.jsonl (or .gz) and qrels.tsv or qrels/test.tsv
    #[arg(value_name = "DIR", required_unless_present = "mine", conflicts_with = "mine")]
    pub dir: Option<PathBuf>,
    /// Measure on your own indexed notes: is a note found by a title or heading that was taken out of it?
    #[arg(long)]
    pub mine: bool,
    /// Candidates to hand to the cross-encoder
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(CANDIDATES))]
    pub candidates: u16,
    /// Ask the first N judged questions only; with --mine, N notes (200 without it)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit_queries: Option<u32>,
    /// Measure this stage only; may be given several times
    #[arg(long, value_enum)]
    pub stage: Vec<StageArg>,
    /// Measure reranking at 10, 20, 30, 50, 100 and 200 candidates as well
    #[arg(long, group = "sweep")]
    pub depth_sweep: bool,
    /// Measure reranking at these numbers of candidates as well
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', group = "sweep")]
    #[arg(value_parser = clap::value_parser!(u16).range(CANDIDATES))]
    pub depths: Vec<u16>,
    /// Draw quality and time against the number of candidates; implies --depth-sweep unless --depths are given
    #[arg(long, value_name = "FILE.svg")]
    pub chart: Option<PathBuf>,
    /// Cross-encoder to measure: a name, or a folder in Hugging Face layout. Several are compared on the same
    /// candidates, each against the first
    #[arg(long = "model", value_name = "NAME", conflicts_with = "reranker")]
    pub models: Vec<String>,
    /// Arithmetic of the cross-encoder to measure on the CPU. Several are compared on the same candidates, each against
    /// the first
    #[arg(long, value_enum, value_name = "PRECISION,...", value_delimiter = ',', conflicts_with = "models")]
    pub precisions: Vec<PrecisionArg>,
    /// Draw how the scores shown agree with the judgements; what nobody judged counts as not relevant
    #[arg(long, value_name = "FILE.svg")]
    pub reliability: Option<PathBuf>,
    /// Count the questions whose best score is below X, from 0 to 1; the settings' threshold without it
    #[arg(long, value_name = "X", value_parser = probability)]
    pub threshold: Option<f32>,
    /// Questions (as queries.jsonl) that nothing in the collection answers: do they get lower scores?
    #[arg(long, value_name = "FILE")]
    pub off_topic: Option<PathBuf>,
    /// Write every question at every stage as JSON lines
    #[arg(long, value_name = "FILE")]
    pub per_query: Option<PathBuf>,
    /// List every question at every stage in the JSON answer
    #[arg(long)]
    pub queries: bool,
    /// Resamples of the paired bootstrap
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    #[arg(value_parser = clap::value_parser!(u32).range(100..=1_000_000))]
    pub resamples: u32,
    /// Seed of the bootstrap and of the choice of notes
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Write the numbers that the score of each candidate of the last stage was made of, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    #[command(flatten)]
    pub embedder: EmbedderArg,
    #[command(flatten)]
    pub reranker: RerankerArg,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BenchArgs {
    #[command(subcommand)]
    pub command: Option<BenchCommand>,
    #[command(flatten)]
    pub speed: SpeedArgs,
}

#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time search and indexing over up to a million passages made from your notes
    Growth(GrowthArgs),
}

/// Reranking, embedding, tokenizing, loading and memory; with an index, whole questions too. `--threads`, `--device`
/// and `--precision` say how the models run.
#[derive(Debug, Args)]
pub struct SpeedArgs {
    /// Pairs to rerank instead of made ones: `{"q": "question", "p": ["passage", ...]}`, or a list of those
    #[arg(long, value_name = "FILE")]
    pub pairs: Option<PathBuf>,
    /// Model to time instead of the one in the settings: a name, or a folder in Hugging Face layout. A bi-encoder and a
    /// cross-encoder may be given
    #[arg(long = "model", value_name = "NAME")]
    pub models: Vec<String>,
    /// Times that each is measured; the median counts
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub runs: u16,
}

/// The passages are made from real ones, with words and vectors distributed as in those; your own index is not touched.
#[derive(Debug, Args)]
pub struct GrowthArgs {
    /// Folders of notes to make the passages from; the watched ones without any
    #[arg(value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Passages of each collection, smallest first
    #[arg(long, value_name = "N,N,...", value_delimiter = ',', default_value = "10000,100000,1000000")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub sizes: Vec<u32>,
    /// Keep the collections in DIR for the next time (about 1.5 KB a passage)
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// Questions (as queries.jsonl) to ask besides those made from the notes; may be given several times
    #[arg(long, value_name = "FILE")]
    pub queries: Vec<PathBuf>,
    /// Also compare the vector column with exact cosines, over N of the questions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub recall: Option<u32>,
    /// Draw how the times grow
    #[arg(long, value_name = "FILE.svg")]
    pub chart: Option<PathBuf>,
    #[command(flatten)]
    pub embedder: EmbedderArg,
}

/// Passages come one a line: plain text, or JSON strings, or JSON objects with "text" and perhaps "id".
/// The first line decides which.
#[derive(Debug, Args)]
pub struct RerankArgs {
    /// The question
    #[arg(long, value_name = "Q")]
    pub query: String,
    #[command(flatten)]
    pub reranker: RerankerArg,
}

#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// List the models: built in, imported, fetched, and those that could be fetched
    List,
    /// Check the files of one model, or of all that are here, against their sums
    Verify { name: Option<String> },
    /// Take in a model folder in Hugging Face layout
    Import { dir: PathBuf },
    /// Download a model of the manifest
    Fetch { name: String },
    /// Fit what the scores of a bi-encoder with a cross-encoder mean, on the questions that ship
    Calibrate(CalibrateArgs),
}

/// The cross-encoder reads every candidate of every question once: a small one takes minutes, a large one longer.
#[derive(Debug, Args)]
pub struct CalibrateArgs {
    /// Candidates of each question that are read
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(CANDIDATES))]
    pub candidates: u16,
    /// Folder of test collections in BEIR layout to fit on, instead of what ships; `unanswered.jsonl` in one of them
    /// holds questions that nothing there answers
    #[arg(long, value_name = "DIR")]
    pub sets: Option<PathBuf>,
    /// Forget what was fitted here for these two models
    #[arg(long, conflicts_with = "sets")]
    pub forget: bool,
    #[command(flatten)]
    pub embedder: EmbedderArg,
    #[command(flatten)]
    pub reranker: RerankerArg,
}

fn probability(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if allowed::THRESHOLD.contains(&value) { Ok(value) } else { Err("a threshold lies between 0 and 1".to_owned()) }
}
