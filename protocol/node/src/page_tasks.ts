/** What pages have begun and may leave behind: each task ends with its page. */

import type { Page } from "./electron_pages.js";
import { InvalidParams } from "./errors.js";

// Of a page, at once.
const MAX_TASKS = 16;

export class PageTasks {
  private readonly tasks = new Map<Page, Map<string, AbortController>>();

  /**
   * Begin the task `name` of `page`; its signal is aborted once it is not wanted any more.
   *
   * @throws {InvalidParams} there is one of that name, or there are too many.
   */
  begin(page: Page, name: string): AbortSignal {
    const tasks = this.tasksOf(page);
    if (tasks.size >= MAX_TASKS || tasks.has(name)) {
      throw new InvalidParams(`a page may have ${MAX_TASKS} tasks, each with its own name`);
    }
    const controller = new AbortController();
    tasks.set(name, controller);
    return controller.signal;
  }

  /** It has ended. */
  end(page: Page, name: string): void {
    this.tasks.get(page)?.delete(name);
  }

  /** It is not wanted any more. */
  cancel(page: Page, name: string): void {
    const controller = this.tasks.get(page)?.get(name);
    this.end(page, name);
    controller?.abort();
  }

  private tasksOf(page: Page): Map<string, AbortController> {
    const known = this.tasks.get(page);
    if (known !== undefined) return known;
    const tasks = new Map<string, AbortController>();
    this.tasks.set(page, tasks);
    const end = () => {
      const left = [...tasks.values()];
      tasks.clear();
      left.forEach((controller) => controller.abort());
    };
    // A page that is loaded anew knows nothing of what it had begun.
    page.on("did-navigate", end);
    page.on("render-process-gone", end);
    page.on("destroyed", () => {
      end();
      this.tasks.delete(page);
    });
    return tasks;
  }
}
