// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pthread.h>

namespace lyr::unionfs {

// A mutex for what takes a few microseconds, most often: where another thread has it, lock() looks
// for a moment whether that is done with it before it sleeps, since waking a CPU takes longer than
// that. To be used as std::mutex is.
class PatientMutex {
 public:
  PatientMutex() = default;
  PatientMutex(const PatientMutex&) = delete;
  PatientMutex& operator=(const PatientMutex&) = delete;
  ~PatientMutex() { pthread_mutex_destroy(&mutex_); }

  // Neither fails for a mutex that is initialised, and is unlocked by who locked it.
  void lock() { pthread_mutex_lock(&mutex_); }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
};

}  // namespace lyr::unionfs
