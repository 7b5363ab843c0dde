//! Names that people give to the fields of their logs.

use super::field::Field;

/// How each field is called: names of keys, run together, likeliest first.
pub(super) const NAMES: &[(Field, &str)] = &[
    (
        Field::At,
        "timestamp ts time at createdat startedat starttime requesttime requestedat datetime created start \
         started eventtime loggingtime date when loggedat receivedat timegenerated timestampms epoch t",
    ),
    (Field::Ended, "endtime endedat finishedat completedat ended end responsetimestamp"),
    (Field::Asked, "requestedmodel requestmodel askedmodel modelalias modelrequested alias"),
    (
        Field::Model,
        "model modelname modelid responsemodel servedmodel modelused llmmodel llm engine deployment servedentityname lsmodelname modelpermaslug modelslug mdl m",
    ),
    (
        Field::Cached,
        "cachedtokens cachereadtokens cachereadinputtokens cachedinputtokens cacheread cached \
         promptcachedtokens usagecached tokenscached cachedprompttokens cachehittokens promptcachehittokens inputcachedtokens \
         cachedcontenttokencount cachedcontenttokens cachereadinputtokencount promptcachereadtokens",
    ),
    (
        Field::CacheWrite,
        "cachewritetokens cachecreationinputtokens cachecreationtokens cachewrite cachecreation \
         cachewriteinputtokencount promptcachewritetokens",
    ),
    (
        Field::Reasoning,
        "reasoningtokens thinkingtokens thoughtstokens reasoning thoughts thinking tokensreasoning \
         thoughtstokencount outputreasoningtokens",
    ),
    (
        Field::In,
        "prompttokens inputtokens tokensin intokens tokensinput tokensprompt usageprompt usageinput usagein \
         requesttokens contexttokens prompttokencount inputtokencount numinputtokens numprompttokens nprompt \
         ninput input prompt in tokin intok prompttok inputtok prompttoks inputtoks tin i p",
    ),
    (
        Field::Out,
        "completiontokens outputtokens tokensout outtokens tokensoutput tokenscompletion usagecompletion \
         usageoutput usageout responsetokens generatedtokens answertokens completiontokencount \
         outputtokencount candidatestokencount numoutputtokens numcompletiontokens candidatestokens ncompletion noutput output \
         completion out response generated tokout outtok completiontok outputtok compltok compltokens comptokens \
         completiontoks outputtoks replytokens gentokens tout o c",
    ),
    (Field::Total, "totaltokens tokenstotal usagetotal total tokens"),
    (Field::FirstToken, "ttft timetofirsttoken firsttoken firsttokenlatency timetofirstbyte ttfb"),
    (
        Field::Latency,
        "latency duration dur elapsed responsetime took totallatency latencytotal timetaken processingtime \
         runtime totaltime totalduration delay elapsedtime requestduration lat l ms",
    ),
    (Field::Cost, "cost totalcost costtotal spend price usd amount charge"),
    (Field::Error, "error errormessage errortype errorcode err exception"),
    (
        Field::Status,
        "status statuscode httpstatus httpcode responsestatus responsecode outcome result success succeeded \
         code ok",
    ),
    (
        Field::Id,
        "requestid id callid reqid uuid requestuuid completionid responseid generationid eventid correlationid rid",
    ),
    (
        Field::Team,
        "team teamname teamid department dept costcenter costcentre businessunit organization organisation \
         org orgid tenant tenantid squad group",
    ),
    (
        Field::Project,
        "project projectname projectid app appname appid application service servicename svc product feature \
         workspace",
    ),
    (
        Field::User,
        "user userid username enduser useremail email customer customerid account keyalias client u",
    ),
    (Field::Session, "session sessionid conversation conversationid chatid threadid thread"),
    (
        Field::Provider,
        "provider vendor lsprovider providername customllmprovider llmprovider modelprovider backend upstream",
    ),
    (Field::Tier, "servicetier tier"),
    (Field::Task, "task taskclass tasktype usecase category intent"),
    (Field::Turn, "turn turnindex turnnumber"),
    (Field::Prompt, "usermessage question userprompt prompttext inputtext query prompt input"),
];

/// Keys around a field that say nothing of what it is.
pub(super) const PLAIN: &str = "usage tokens token request response req res resp data meta metadata llm call event payload log body \
     attributes attrs properties props record info context ctx timing timings metrics stats fields \
     message msg result details 0 trace span http tags labels dimensions ai completion prompt";

/// Names that could be anything's, so that the keys around them must say nothing else.
pub(super) const VAGUE: &str = "id total input output in out prompt completion response code status time at start end created date \
     ok result group client tokens cached engine account amount price category tier thread email t m i p o c l u ms";

/// How a cloud's names of models begin.
pub(super) const CLOUDS: [&str; 12] = [
    "anthropic.",
    "amazon.",
    "meta.",
    "mistral.",
    "cohere.",
    "ai21.",
    "us.",
    "eu.",
    "apac.",
    "global.",
    "jp.",
    "arn:",
];

/// Words in the names of keys that hold tokens, or what they cost apart.
pub(super) const COUNTED: [&str; 7] = ["token", "cache", "reason", "thought", "audio", "image", "search"];

/// Names of what prices may go by beside the model.
pub(super) const PRICING: &str = "batch isbatch region location endpoint host baseurl apibase";

/// Finds the place of a word in a list of them.
pub(super) fn place(list: &str, word: &str) -> Option<usize> {
    list.split(' ').position(|known| known == word)
}
