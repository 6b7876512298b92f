// Laravel's side of the oracle test. It reads steps as lines of JSON, in which bytes are base64, and answers each with the serialized result
// or with what was thrown.

namespace Illuminate\Cache {
    // Locks tell the time by time() until 11.2, and by Carbon since. Here it is the scripted time for all of them.
    function time(): int { return \Illuminate\Support\Carbon::now()->getTimestamp(); }
}

namespace {
    use Illuminate\Cache\DatabaseStore;
    use Illuminate\Cache\Repository;
    use Illuminate\Support\Carbon;

    // The lottery by which locks are pruned is drawn by the script of the test.
    $store = new DatabaseStore($conn, 'cache', getenv('LARAVEL_PREFIX'), 'cache_locks', [0, 100]);
    $cache = new Repository($store);

    function lock(DatabaseStore $store, array $s): object
    {
        $lock = isset($s['TTL']) ? $store->lock($s['Key'], $s['TTL'], $s['Owner']) : $store->restoreLock($s['Key'], $s['Owner']);
        if ($s['Lottery']) {
            (function () { $this->lottery = [1, 1]; })->call($lock);
        }
        return $lock;
    }

    function perform(Repository $cache, DatabaseStore $store, array $s)
    {
        switch ($s['Op']) {
            case 'get': return $cache->get($s['Key']);
            case 'has': return $cache->has($s['Key']);
            case 'pull': return $cache->pull($s['Key']);
            case 'many':
                $found = $cache->many($s['Keys']);
                return array_map(fn ($key) => serialize($found[$key]), $s['Keys']);
            case 'put': return $cache->put($s['Key'], $s['Values'][0], $s['TTL']);
            case 'forever': return $cache->forever($s['Key'], $s['Values'][0]);
            case 'putMany': return $cache->putMany(array_combine($s['Keys'], $s['Values']), $s['TTL']);
            case 'add': return $cache->add($s['Key'], $s['Values'][0], $s['TTL']);
            case 'increment': return $cache->increment($s['Key'], $s['By']);
            case 'decrement': return $cache->decrement($s['Key'], $s['By']);
            case 'touch': return $cache->touch($s['Key'], $s['TTL']);
            case 'forget': return $cache->forget($s['Key']);
            case 'flush': return $cache->clear();
            case 'remember': return $cache->remember($s['Key'], $s['TTL'], fn () => $s['Values'][0]);
            case 'rememberForever': return $cache->rememberForever($s['Key'], fn () => $s['Values'][0]);
            case 'flexible':
                $value = $cache->flexible($s['Key'], [$s['Fresh'], $s['TTL']], fn () => $s['Values'][0]);
                run_deferred();
                return $value;
            case 'acquire': return lock($store, $s)->get();
            case 'release': return lock($store, $s)->release();
            case 'forceRelease': return lock($store, $s)->forceRelease();
            case 'refresh': return lock($store, $s)->refresh();
            case 'owner': return (fn () => $this->getCurrentOwner())->call(lock($store, $s));
            case 'isLocked': return lock($store, $s)->isLocked();
        }
        throw new LogicException("unknown operation {$s['Op']}");
    }

    while (($line = fgets(STDIN)) !== false) {
        $s = json_decode($line, true, 512, JSON_THROW_ON_ERROR);
        $s['Key'] = base64_decode($s['Key'] ?? '');
        $s['Owner'] = base64_decode($s['Owner'] ?? '');
        $s['Keys'] = array_map('base64_decode', $s['Keys'] ?? []);
        $s['Values'] = array_map(fn ($value) => unserialize(base64_decode($value)), $s['Values'] ?? []);
        Carbon::setTestNow(Carbon::createFromTimestamp($s['Now'], 'UTC'));
        try {
            answer(['Value' => base64_encode(serialize(perform($cache, $store, $s)))]);
        } catch (LogicException $e) {
            throw $e;
        } catch (Throwable $e) {
            answer(['Fault' => mb_scrub(get_class($e).': '.$e->getMessage())]);
        }
    }
}
